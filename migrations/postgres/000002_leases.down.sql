DROP TABLE worker_leases;
ALTER TABLE number_space DROP COLUMN floor_ms;
