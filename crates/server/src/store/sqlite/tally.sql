-- What was counted by day and title.

-- name: ADD_TALLY
INSERT INTO tally (day, outcome, subject, number) VALUES ($1, $2, $3, $4)
ON CONFLICT (day, outcome, subject) DO UPDATE SET number = tally.number + excluded.number;

-- name: TALLY_BY_DAY
SELECT day, outcome, CAST(sum(number) AS INTEGER) FROM tally WHERE day >= $1 GROUP BY day, outcome ORDER BY day, outcome;

-- name: TALLY_BY_TITLE
SELECT subject, outcome, CAST(sum(number) AS INTEGER) AS total FROM tally WHERE day >= $1 AND subject <> ''
GROUP BY subject, outcome ORDER BY total DESC, subject, outcome LIMIT $2;

-- name: DROP_TALLY
DELETE FROM tally WHERE day < $1;
