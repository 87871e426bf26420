# Where the library is preloaded a background worker sends what waits, and settles
# what an interrupted COMMIT has left, without anybody asking.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;

my $node = CrmTest::node('worker', "shared_preload_libraries = 'crm_sync'",
	'crm_sync.worker_naptime = 1', 'log_min_messages = log');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub soon
{
	my ($query, $name) = @_;
	ok($node->poll_query_until('postgres', $query), $name);
	return;
}

sql(q{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.queued (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account', writes 'queue');
	CREATE FOREIGN TABLE crm.synced (
		id   uuid OPTIONS (property 'ContactId') NOT NULL,
		last text OPTIONS (property 'LastName')
	) SERVER cdms OPTIONS (entity 'Contact');
	SELECT crm_sync.create_store('crm.queued'), crm_sync.create_store('crm.synced');
});

# 250 creations in one transaction: the worker sends them a hundred at a time, and
# each once.
sql(q{SELECT cdms.log_clear()});
sql(q{INSERT INTO crm.queued (id, name)
	SELECT ('11111111-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'New ' || i FROM generate_series(1, 250) i});
soon(q{SELECT count(*) = 0 FROM crm_sync.outbox}, 'the worker sends what waits');
is(sql(q{SELECT count(*), count(DISTINCT log) FROM cdms.log('POST') WHERE log LIKE '% 201'}),
	'250|250', 'each object once');
is(sql(q{SELECT count(*) FROM crm.queued_store WHERE name LIKE 'New %'}), '250', 'they are here');

# What was written in mode local waits for a user.
sql(q{SET crm_sync.mode = local; INSERT INTO crm.synced (id, last) VALUES ('22222222-0000-4000-8000-000000000001', 'Local')});

# One is refused: it is parked, the next one goes.
sql(q{SELECT cdms.fault('status', '--verb', 'POST', '--status', '400', '--body', 'no')});
sql(q{INSERT INTO crm.queued (id, name) VALUES ('33333333-0000-4000-8000-000000000001', 'Poisoned')});
soon(q{SELECT count(*) = 1 FROM crm_sync.failed}, 'what is refused is parked');
sql(q{INSERT INTO crm.queued (id, name) VALUES ('33333333-0000-4000-8000-000000000002', 'Good')});
soon(q{SELECT cdms.get('Account', '33333333-0000-4000-8000-000000000002', 'Name') = 'Good'}, 'and holds up nothing');
is(sql(q{SELECT count(*) FROM cdms.log('POST') WHERE log LIKE '%Poisoned%'}), '1', 'it is not tried again');
is(sql(q{SELECT count(*) FROM crm_sync.pending}), '1', 'what was written in mode local still waits');

# The server dies while the worker sends: nothing is lost, nothing is sent twice
# that CDMS would take for two.
sql(q{SELECT cdms.fault('hang-after', '--verb', 'POST')});
sql(q{INSERT INTO crm.queued (id, name) VALUES ('33333333-0000-4000-8000-000000000003', 'Twice?')});
soon(q{SELECT cdms.get('Account', '33333333-0000-4000-8000-000000000003', 'Name') = 'Twice?'}, 'CDMS has taken it');
$node->stop('immediate');
$node->start;
soon(q{SELECT count(*) = 0 FROM crm_sync.pending WHERE key::text LIKE '3333%3'}, 'after a crash the worker goes on');
is(sql(q{SELECT cdms.count('Account')}), '752', 'CDMS has each object once');

# An interrupted COMMIT is settled without a reader.
my $before = sql(q{SELECT cdms.count('Contact')});
sql(q{SELECT cdms.log_clear(), cdms.fault('hang-after', '--verb', 'POST', '--skip', '1')});
my $session = CrmSession->new($node);
$session->send(q{INSERT INTO crm.synced (id, last) VALUES
	('22222222-0000-4000-8000-000000000002', 'Two'), ('22222222-0000-4000-8000-000000000003', 'Three');
});
soon(q{SELECT count(*) = 2 FROM cdms.log('POST')}, 'a COMMIT is under way');
$node->stop('immediate');
$session->close;
$node->start;
soon(q{SELECT unresolved = 0 FROM crm_sync.status WHERE entity = 'Contact'}, 'the worker settles it');
is(sql(q{SELECT cdms.count('Contact')}), $before, 'CDMS has nothing of it');

# One owner's code takes for ever, in the worker only: the change is parked, the others
# get their turn.
sub queue
{
	my ($n, $table) = @_;
	sql("INSERT INTO crm.$table (id, name) VALUES ('44444444-0000-4000-8000-00000000000$n', 'Number $n')");
	return;
}

sub arrives
{
	my ($n, $name) = @_;
	soon("SELECT count(*) = 0 FROM crm_sync.pending WHERE key::text LIKE '4444%$n'", $name);
	is(sql("SELECT cdms.get('Account', '44444444-0000-4000-8000-00000000000$n', 'Name')"), "Number $n", '... in CDMS');
	return;
}

$node->append_conf('postgresql.conf', "crm_sync.worker_timeout = '5s'");
$node->reload;
sql(q{
	CREATE FUNCTION crm.is_fine(text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		IF current_setting('application_name') = '' THEN PERFORM pg_sleep(100000); END IF;
		RETURN true;
	END $$;
	CREATE DOMAIN crm.fine AS text CHECK (crm.is_fine(VALUE));
	CREATE FOREIGN TABLE crm.slow (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name crm.fine OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account', writes 'queue');
	SELECT crm_sync.create_store('crm.slow');
});
queue(1, 'slow');
soon(q{SELECT count(*) = 1 FROM crm_sync.failed WHERE key::text LIKE '4444%1' AND last_error LIKE 'canceling statement%'},
	'what takes too long is cancelled and parked');
queue(2, 'queued');
arrives(2, 'and holds up nothing');

# Code that is not to be cancelled ends the worker; in other databases nobody notices.
sql(q{
	CREATE OR REPLACE FUNCTION crm.is_fine(text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		WHILE current_setting('application_name') = '' LOOP
			BEGIN
				PERFORM pg_sleep(100000);
			EXCEPTION WHEN query_canceled THEN NULL;
			END;
		END LOOP;
		RETURN true;
	END $$;
});
queue(3, 'slow');
soon(q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'crm_sync worker' AND wait_event = 'PgSleep'},
	'the worker hangs');
$node->safe_psql('postgres', 'CREATE DATABASE other');
CrmTest::simulator($node, 'other');
$node->safe_psql('other', q{
	CREATE EXTENSION crm_sync;
	SELECT cdms.create_server();
	CREATE FOREIGN TABLE queued (id uuid OPTIONS (property 'AccountId') NOT NULL, name text OPTIONS (property 'Name'))
		SERVER cdms OPTIONS (entity 'Account', writes 'queue');
	SELECT crm_sync.create_store('queued');
	INSERT INTO queued (name) VALUES ('Other');
});
queue(4, 'queued');
ok($node->poll_query_until('other', q{SELECT count(*) = 0 FROM crm_sync.pending}), 'another database gets its turn');
arrives(4, 'and so does another table');
sql(q{CREATE OR REPLACE FUNCTION crm.is_fine(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'});
arrives(3, 'what did not fail is tried again');

# A server that does not answer, and may take its time: nothing is wrong with the change.
sql(q{
	ALTER SERVER cdms OPTIONS (ADD request_timeout '20d', ADD commit_timeout '20d');
	SELECT cdms.fault('hang', '--verb', 'POST', '--times', '2');
});
queue(5, 'queued');
soon(q{SELECT count(*) = 1 FROM crm_sync.pending WHERE key::text LIKE '4444%5' AND attempts > 0},
	'a silent server is given up');
arrives(5, 'and asked again');

# More changes than fit into one commit wait for creations that CDMS refuses: they are
# in nobody's way.
sql(q{
	CREATE ROLE maker;
	GRANT USAGE ON SCHEMA crm TO maker;
	GRANT INSERT, SELECT ON crm.queued TO maker;
	CREATE USER MAPPING FOR maker SERVER cdms OPTIONS (password_required 'false');
	SELECT cdms.fault('status', '--verb', 'POST', '--times', '101', '--status', '400', '--body', 'no');
	SET ROLE maker;
	INSERT INTO crm.queued (id, name)
		SELECT ('55555555-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Refused' FROM generate_series(1, 101) i;
});
soon(q{SELECT count(*) = 101 FROM crm_sync.failed WHERE key::text LIKE '5555%'}, 'creations are refused');
sql(q{UPDATE crm.queued SET name = 'Changed' WHERE name = 'Refused'});
queue(6, 'queued');
arrives(6, 'what waits for them keeps nobody waiting');
is(sql(q{SELECT count(*) FROM crm_sync.pending WHERE key::text LIKE '5555%'}), '101', 'and is not lost');

# A database whose DROP was interrupted is visited no more.
sub refused
{
	my @lines = slurp_file($node->logfile) =~ /FATAL.*invalid database/g;
	return scalar @lines;
}

sql(q{UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'other'});
isnt($node->psql('other', 'SELECT 1'), 0, 'nobody gets into what is half dropped');
my $refused = refused();
for my $n (7, 8)
{
	queue($n, 'queued');
	arrives($n, "there is a round, $n");
}
is(refused(), $refused, 'nor does the worker try to');

# Off.
$node->append_conf('postgresql.conf', 'crm_sync.worker_naptime = 0');
$node->reload;
sql(q{INSERT INTO crm.queued (id, name) VALUES ('33333333-0000-4000-8000-000000000004', 'Waits')});
sleep 2;
is(sql(q{SELECT count(*) FROM crm_sync.pending WHERE key::text LIKE '3333%4'}), '1', 'switched off it sends nothing');

done_testing();
