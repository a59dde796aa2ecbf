DROP INDEX audit_log_batch_idx;
ALTER TABLE audit_log DROP COLUMN batch;
DROP TABLE batches;
