-- Why a schedule could not be fired. $1 name, $2 error. Guard: writes only what is new.
UPDATE engine.schedules SET last_error = $2 WHERE name = $1 AND last_error IS DISTINCT FROM $2
