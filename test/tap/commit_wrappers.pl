# A store's trigger that uses another foreign data wrapper, as what CDMS made of a write is
# read back: postgres_fdw is told of the COMMIT after that, or it would fail when there is
# no way back, and the server with it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

for my $settings ('', "shared_preload_libraries = 'crm_sync'", "session_preload_libraries = 'postgres_fdw, crm_sync'")
{
	my $node = CrmTest::node('node' . length($settings), $settings);
	my ($host, $port) = ($node->host, $node->port);

	$node->safe_psql('postgres', qq{
		CREATE EXTENSION postgres_fdw;
		SELECT cdms.create_server();
		CREATE SERVER mirror FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER mirror;
		CREATE SCHEMA crm;
		CREATE TABLE crm.kept (name text, edited timestamptz);
		CREATE FOREIGN TABLE crm.mirrored (name text, edited timestamptz) SERVER mirror OPTIONS (table_name 'kept');
		CREATE FOREIGN TABLE crm.org (
			id     uuid OPTIONS (property 'AccountId') NOT NULL,
			name   text OPTIONS (property 'Name'),
			edited timestamptz OPTIONS (property 'ModifiedOn')
		) SERVER cdms OPTIONS (entity 'Account');
		SELECT crm_sync.create_store('crm.org');
		CREATE FUNCTION crm.mirror() RETURNS trigger LANGUAGE plpgsql AS \$\$
			BEGIN INSERT INTO crm.mirrored VALUES (NEW.name, NEW.edited); RETURN NULL; END \$\$;
		CREATE TRIGGER mirror AFTER UPDATE OF edited ON crm.org_store FOR EACH ROW EXECUTE FUNCTION crm.mirror()});
	my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time(), pg_conf_load_time()');

	is($node->safe_psql('postgres', q{INSERT INTO crm.org (name) VALUES ('New'); SELECT count(*) FROM crm.org_store WHERE edited IS NOT NULL}),
		'1', "'$settings': an INSERT, its first use of anything");
	is($node->safe_psql('postgres', q{SELECT name, edited IS NOT NULL FROM crm.kept}), 'New|t', 'is mirrored as it was read back');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.mirrored; INSERT INTO crm.org (name) VALUES ('Newer'); SELECT count(*) FROM crm.kept}),
		"1\n2", 'also with a connection that is there already');
	my (undef, undef, $errors) = $node->psql('postgres',
		q{SELECT cdms.fault('status', '--verb', 'POST', '--status', '500', '--body', 'no');
		  INSERT INTO crm.org (name) VALUES ('Newest')});
	like($errors, qr/CDMS answered 500/, 'what CDMS refuses');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM crm.kept'), '2', 'is not mirrored');
	is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time(), pg_conf_load_time()'), $started, 'the server has not been started again');
	unlike(slurp_file($node->logfile), qr/PANIC/, 'nor had to be');
	$node->stop;
}

done_testing();
