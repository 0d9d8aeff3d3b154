-- Ids of the newsletters that moved last: those indexed last and those that arrived last; for the live list.
-- Guard: reads only, down two indexes. $1 how many of each. Unordered.
(SELECT n.id FROM news.newsletters n WHERE n.indexed_at IS NOT NULL ORDER BY n.indexed_at DESC LIMIT $1)
UNION
(SELECT n.id FROM news.newsletters n ORDER BY n.id DESC LIMIT $1)
