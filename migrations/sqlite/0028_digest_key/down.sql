DROP TABLE digest_key;
