DROP TABLE usage_attempts;
DROP TABLE usage_days;
DROP TABLE usage_hours;
