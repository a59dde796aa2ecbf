DROP INDEX api_keys_expires_at_idx;
DROP INDEX api_keys_created_at_idx;
DROP INDEX api_keys_name_order_idx;
DROP INDEX users_expires_at_idx;
DROP INDEX users_created_at_idx;
DROP INDEX users_name_order_idx;
