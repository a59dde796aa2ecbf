DROP TABLE user_passwords;
DROP TABLE console_sessions;
