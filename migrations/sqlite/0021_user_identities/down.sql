DROP TABLE spent_tickets;
DROP TABLE user_identities;
