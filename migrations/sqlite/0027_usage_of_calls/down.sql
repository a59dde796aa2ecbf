DELETE FROM usage_hours WHERE facet IN ('wire_format', 'operation');
DELETE FROM usage_days WHERE facet IN ('wire_format', 'operation');
