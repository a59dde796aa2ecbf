ALTER TABLE audit_log ADD COLUMN address text;

CREATE INDEX audit_log_who_idx ON audit_log (who, id);
CREATE INDEX audit_log_action_idx ON audit_log (action, id);
CREATE INDEX audit_log_subject_idx ON audit_log (subject, id);
CREATE INDEX audit_log_at_idx ON audit_log (at, id);

COMMENT ON TABLE  audit_log         IS 'What was changed through the admin API, and what was refused there. Rows are added, never changed; of refusals the newest are kept.';
COMMENT ON COLUMN audit_log.address IS 'Where it was asked for; null where nobody asked over the network.';
