DROP TABLE attempts;
DROP TABLE requests;
