DROP TABLE issued_conflicts;
DROP TABLE spool_progress;
DROP TABLE tracking_numbers;
DROP TABLE number_space;
