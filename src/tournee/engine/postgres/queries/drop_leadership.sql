-- Gives all roles of a holder back at once. $1 holder.
DELETE FROM engine.leaders WHERE holder = $1
