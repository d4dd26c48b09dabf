DROP TABLE issued_conflicts, spool_progress, tracking_numbers, number_space;
