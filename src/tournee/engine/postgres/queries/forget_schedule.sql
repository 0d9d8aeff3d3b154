-- Removes a schedule and what is left of its lease. Guard: no live process leads it. $1 name.
-- Returns the name if it is gone.
WITH forgotten AS (
    DELETE FROM engine.schedules s
    WHERE s.name = $1
      AND NOT EXISTS (SELECT FROM engine.leaders l WHERE l.role = 'schedule ' || s.name AND l.until > now())
    RETURNING name
), lease AS (
    DELETE FROM engine.leaders l USING forgotten f WHERE l.role = 'schedule ' || f.name
)
SELECT name FROM forgotten
