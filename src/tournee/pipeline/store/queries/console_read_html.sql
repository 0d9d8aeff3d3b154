-- The sanitised HTML of one newsletter, for the sandboxed frame.
-- Guard: reads only. $1 newsletter id. Returns one row (html) or none.
SELECT n.html FROM news.newsletters n WHERE n.id = $1
