-- Schema 10, made from schema 9.

CREATE TABLE tally (
    day     bigint NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    number  bigint NOT NULL,
    PRIMARY KEY (day, outcome, subject)
);
