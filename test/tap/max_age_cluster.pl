# Where the library is preloaded, moments and counters are the cluster's: what one
# session has asked within max_age another need not ask.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $node = CrmTest::node('cluster', "shared_preload_libraries = 'crm_sync'",
	'max_prepared_transactions = 2');

$node->safe_psql('postgres', q{
	SELECT cdms.create_server($$ max_age '1h' $$);
	CREATE FOREIGN TABLE org (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('org')});
my ($one, $other) = map { CrmSession->new($node) } 1 .. 2;

sub read_key
{
	my ($n) = @_;
	return "SELECT name FROM org WHERE id = 'aaaaaaaa-0000-4000-8000-0000000000$n'";
}

# How many requests a statement of a session costs.
sub cost
{
	my ($session, $sql) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT cdms.requests()');

	$session->query($sql);
	return $node->safe_psql('postgres', 'SELECT cdms.requests()') - $before;
}

sub explained
{
	my ($session, $sql) = @_;
	my ($answer) = $session->query("EXPLAIN (ANALYZE) $sql") =~ /CDMS Answer: (.*)/;
	return $answer;
}

# Committed, it is everybody's.
is(explained($one, read_key('01')), 'asked', 'one session asks');
is(explained($one, read_key('01')), 'within max_age (cluster)', 'and need not again');
is(explained($other, read_key('01')), 'within max_age (cluster)', 'nor need the other');
is(cost($other, read_key('01')), 0, 'which sends nothing');

# Not before, nor without.
$one->query('BEGIN');
is(cost($one, read_key('02')), 1, 'asked in an open transaction');
is(explained($one, read_key('02')), 'within max_age (session)', 'it counts there');
is(cost($other, read_key('02')), 1, 'not for the other session');
$one->query('COMMIT');
is(cost($other, read_key('02')), 0, 'but after the commit');
$one->query('BEGIN; ' . read_key('03') . '; ROLLBACK');
is(cost($other, read_key('03')), 1, 'what was rolled back is asked again');
$one->query('BEGIN; ' . read_key('04') . "; PREPARE TRANSACTION 'p'");
is(cost($other, read_key('04')), 1, 'prepared is not committed');
$one->query("COMMIT PREPARED 'p'");
is($one->errors, '', 'no errors');

# A transaction that does not see what was stored since.
$other->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM org_store');
is(cost($one, read_key('05')), 1, 'asked after the other transaction has begun');
is($other->query('SELECT count(*) FROM org_store'), '4', 'which does not see it');
is(cost($other, read_key('05')), 1, 'and asks itself');
is($other->query(read_key('05')), $one->query(read_key('05')), 'for the same answer');
is(cost($other, read_key('01')), 0, 'what it does see it need not ask');
$other->query('COMMIT');

# A discarded change.
$one->query(q{SET crm_sync.mode = local; UPDATE org SET name = 'Local' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
	RESET crm_sync.mode});
is($other->query(read_key('01')), 'Local', 'a change that waits');
$one->query('SELECT crm_sync.discard(id) FROM crm_sync.pending');
is(explained($other, read_key('01')), 'asked', 'once it is discarded the other session asks');
is($other->query(read_key('01')), "O'Neil & Sons", "for CDMS's version");

# The counters, in each session.
my $counters = q{SELECT scope, gets = cdms.requests('GET'), objects > 0, errors FROM crm_sync.stat_requests};
is($_->query($counters), 'cluster|t|t|0', 'counted together') for $one, $other;
$one->query('BEGIN; ' . read_key('07'));
is($one->query($counters), 'cluster|t|t|0', 'in an open transaction, too');
$one->query('ROLLBACK');
is($other->query($counters), 'cluster|t|t|0', 'and after a rollback');

# Nothing survives a restart, or a crash.
$_->close for $one, $other;
for my $mode ('fast', 'immediate')
{
	$node->stop($mode);
	$node->start;
	$one = CrmSession->new($node);
	is($one->query('SELECT count(*) FROM crm_sync.stat_requests'), '0', "no counters after stopping $mode");
	is(explained($one, read_key('01')), 'asked', 'no moments');
	is(explained($one, read_key('01')), 'within max_age (cluster)', 'before it is asked');
	$one->close;
}

$node->stop;
done_testing();
