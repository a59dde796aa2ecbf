DROP INDEX audit_log_at_idx;
DROP INDEX audit_log_subject_idx;
DROP INDEX audit_log_action_idx;
DROP INDEX audit_log_who_idx;
ALTER TABLE audit_log DROP COLUMN address;
