ALTER TABLE audit_log ADD COLUMN address TEXT;

CREATE INDEX audit_log_who_idx ON audit_log (who, id);
CREATE INDEX audit_log_action_idx ON audit_log (action, id);
CREATE INDEX audit_log_subject_idx ON audit_log (subject, id);
CREATE INDEX audit_log_at_idx ON audit_log (at, id);
