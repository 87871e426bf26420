# Where the library is preloaded a background worker sends what waits, and settles
# what an interrupted COMMIT has left, without anybody asking.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
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

# Off.
$node->append_conf('postgresql.conf', 'crm_sync.worker_naptime = 0');
$node->reload;
sql(q{INSERT INTO crm.queued (id, name) VALUES ('33333333-0000-4000-8000-000000000004', 'Waits')});
sleep 2;
is(sql(q{SELECT count(*) FROM crm_sync.pending WHERE key::text LIKE '3333%4'}), '1', 'switched off it sends nothing');

done_testing();
