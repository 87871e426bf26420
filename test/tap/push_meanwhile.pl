# What waits to be sent is sent while others go on working, and a transaction
# that fails is undone whatever its user does meanwhile.
#
# push() and a later write of the same object: the later one stays.  A cancel of
# a COMMIT that sends what others left pending, and two cancels while a failed push
# is undone: CDMS and the store agree.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = CrmTest::node('push_meanwhile');
my $one = 'aaaaaaaa-0000-4000-8000-000000000001';
my $two = 'aaaaaaaa-0000-4000-8000-000000000002';
my $three = 'aaaaaaaa-0000-4000-8000-000000000003';
my $new = 'eeeeeeee-0000-4000-8000-000000000001';

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sql(qq{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id     uuid OPTIONS (property 'AccountId') NOT NULL,
		name   text OPTIONS (property 'Name'),
		alias  text OPTIONS (property 'optevia_Alias'),
		sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
	UPDATE crm.account SET alias = 'before' WHERE id IN ('$one', '$two', '$three');
});

# The session's process is waiting for CDMS.
sub wait_for_wait
{
	my ($session) = @_;
	return $node->poll_query_until('postgres',
		"SELECT wait_event = 'Extension' FROM pg_stat_activity WHERE pid = " . $session->pid);
}

# push() waits for CDMS; a write of the same object begins, and comes after it.
sub push_and_write
{
	my ($verb, $write) = @_;
	my $pusher = CrmSession->new($node);
	my $writer = CrmSession->new($node);

	sql("SELECT cdms.log_clear(), cdms.fault('delay', '--verb', '$verb', '--ms', '@{[1500 * CrmTest::SLOWER]}')");
	$pusher->send("SELECT FROM crm_sync.push('crm.account');\n");
	ok(wait_for_wait($pusher), "push() waits for its $verb");
	$writer->send("$write;\n");
	$pusher->finish;
	$writer->finish;
	is($pusher->errors . $writer->errors, '', 'nobody has an error');
	$_->close for $pusher, $writer;
	return;
}

sub leave
{
	my ($write) = @_;
	return sql("SET crm_sync.mode = local; $write");
}

sub alias_here_and_there
{
	my ($key) = @_;
	return sql("SELECT alias, cdms.get('Account', id, 'optevia_Alias') FROM crm.account_store WHERE id = '$key'");
}

leave("UPDATE crm.account SET alias = 'pending' WHERE id = '$one'");
push_and_write('GET', "UPDATE crm.account_store SET alias = 'later' WHERE id = '$one'");
is(alias_here_and_there($one), 'later|later', 'the later write stays, here and in CDMS');
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing waits');

leave("INSERT INTO crm.account (id, name) VALUES ('$new', 'New')");
push_and_write('POST', "DELETE FROM crm.account_store WHERE id = '$new'");
is(sql("SELECT count(*) FROM crm.account WHERE id = '$new'"), '0', 'an object deleted while it was created is gone here');
is(sql("SELECT count(*) FROM cdms.log() WHERE log LIKE 'DELETE%$new%204'"), '1', 'and in CDMS');
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing waits');

# A COMMIT has sent its own write and is cancelled while it sends what somebody
# else had left: it is undone, and what somebody else had left waits on.
leave("INSERT INTO crm.account (id, name) VALUES ('$new', 'New')");
my $session = CrmSession->new($node);
sql("SELECT cdms.log_clear(), cdms.fault('hang', '--verb', 'POST', '--regex', 'AccountSet\$')");
$session->query("BEGIN; SELECT name FROM crm.account WHERE name = 'New'; UPDATE crm.account SET alias = 'hard' WHERE id = '$two'");
$session->send("COMMIT;\n");
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM cdms.log('POST') WHERE log LIKE '%hang%'"),
	'the creation of another one hangs');
sql('SELECT pg_cancel_backend(' . $session->pid . ')');
$session->finish;
my $errors = $session->errors;
$session->close;
sql("SELECT cdms.fault('clear')");
like($errors, qr/canceling statement.*was undone in CDMS/s, 'it is cancelled, and undone');
my ($here, $there) = split /\|/, alias_here_and_there($two);
is("$here $there", 'before before', 'after a cancel both sides have what they had');
is(sql("SELECT count(*) FROM crm_sync.pending"), '1', 'what somebody else had left waits on');

# A failed push is undone, also when its user loses patience twice.
sql("UPDATE crm.account SET alias = 'before' WHERE id IN ('$one', '$two', '$three')");
$session = CrmSession->new($node);
$session->query("BEGIN; UPDATE crm.account_store SET alias = 'undo' WHERE id IN ('$one', '$two')");
$session->query("UPDATE crm.account_store SET sector = '00000000-0000-0000-0000-00000000dead' WHERE id = '$three'");
sql("SELECT cdms.log_clear(), cdms.fault('delay', '--verb', 'GET', '--skip', '1', '--ms', '@{[1000 * CrmTest::SLOWER]}', '--times', '4')");
$session->send("COMMIT;\n");
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM cdms.log('MERGE') WHERE log LIKE '%404'"), 'a write is refused');
for my $i (1, 2)
{
	ok(wait_for_wait($session), "its undoing waits for CDMS, cancel $i");
	sql('SELECT pg_cancel_backend(' . $session->pid . ')');
	sleep 0.3;
}
$session->finish;
$errors = $session->errors;
$session->close;
like($errors, qr/Does Not Exist/, 'the error is CDMS\'s');
like($errors, qr/was undone in CDMS/, 'and says that it was undone');
unlike($errors, qr/could not be undone/, 'nothing was left');
is(alias_here_and_there($_), 'before|before', 'both sides have what they had') for $one, $two;

done_testing();
