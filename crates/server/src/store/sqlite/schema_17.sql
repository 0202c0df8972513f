-- Schema 17, made from schema 16.

-- What was counted for the owner, by the number of the day since 1970; titles that nobody knows are empty.
CREATE TABLE tally (
    day     INTEGER NOT NULL,
    outcome TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (day, outcome, subject)
) STRICT, WITHOUT ROWID;
