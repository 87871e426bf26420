# An answer of CDMS that is older than what has meanwhile been committed here: a
# reader asks, a writer's transaction begins and commits, then the answer comes.
# The writer's change stands, in the store and in what the reader sees next, and
# history does not tell that CDMS took it back.  And one statement has one snapshot,
# however long its tables take to answer.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $node = CrmTest::node('late_answer');
my $one = 'aaaaaaaa-0000-4000-8000-000000000001';
my $two = 'aaaaaaaa-0000-4000-8000-000000000002';
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
		id    uuid OPTIONS (property 'AccountId') NOT NULL,
		name  text OPTIONS (property 'Name'),
		alias text OPTIONS (property 'optevia_Alias')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
	SELECT name FROM crm.account WHERE id = '$one';
});

# A reader whose answer is complete in CDMS, and drips while the writer commits.
sub late
{
	my ($query, $write) = @_;
	my $reader = CrmSession->new($node);

	sql("SELECT cdms.log_clear(), cdms.fault('drip', '--ms', '@{[2 * CrmTest::SLOWER]}', '--verb', 'GET')");
	$reader->send("$query;\n");
	$node->poll_query_until('postgres', "SELECT cdms.control('fault', 'list') NOT LIKE '%drip%'");
	sql($write);
	my $answer = $reader->finish;
	is($reader->errors, '', 'the reader has no error');
	$reader->close;
	return $answer;
}

# history's last word about a column
sub last_history
{
	my ($key) = @_;
	return sql("SELECT operation || ' ' || origin FROM crm_sync.history WHERE key = '$key' ORDER BY id DESC LIMIT 1");
}

# a change
late("SELECT alias FROM crm.account WHERE id = '$one'",
	"UPDATE crm.account_store SET alias = 'written' WHERE id = '$one'");
is(sql("SELECT alias FROM crm.account_store WHERE id = '$one'"), 'written', 'a change that was committed stands');
is(last_history($one), 'update crm', 'and is the last in history');

# a creation: the answer does not have it yet
late("SELECT count(*) FROM crm.account WHERE name = 'New'", "INSERT INTO crm.account (id, name) VALUES ('$new', 'New')");
is(sql("SELECT name FROM crm.account_store WHERE id = '$new'"), 'New', 'an object that was created stands');
is(sql("SELECT count(*) FROM cdms.log('POST')"), '1', 'and was created once');

# a deletion: the answer has it still
late("SELECT name FROM crm.account WHERE id = '$new'", "DELETE FROM crm.account_store WHERE id = '$new'");
is(sql("SELECT count(*) FROM crm.account_store WHERE id = '$new'"), '0', 'a row that was deleted is not put back');
is(last_history($new), 'delete crm', 'its deletion is the last in history');
sql('SELECT count(*) FROM crm.account');
is(sql("SELECT count(*) FROM cdms.log('POST')"), '0', 'nor is the object created again');

# A row is overlaid, for a writer has it; while CDMS is asked for the statement's
# other table the writer commits.  What the CRM alone knows of the overlaid row is as
# new as that of the others: points that were moved are in one place.
sql(qq{
	ALTER FOREIGN TABLE crm.account ADD COLUMN points integer;
	SELECT crm_sync.create_store('crm.account');
	CREATE FOREIGN TABLE crm.sector (
		id uuid OPTIONS (property 'optevia_sectorId') NOT NULL
	) SERVER cdms OPTIONS (entity 'optevia_sector');
	SELECT crm_sync.create_store('crm.sector');
	SELECT name FROM crm.account WHERE id = '$two';
	UPDATE crm.account_store SET points = 100 WHERE id IN ('$one', '$two');
	SELECT cdms.edit('Account', '$one', 'Name', 'Edited');
});
my ($writer, $reader) = (CrmSession->new($node), CrmSession->new($node));
$writer->query("BEGIN; UPDATE crm.account_store SET points = points - 7 WHERE id = '$one'; UPDATE crm.account_store SET points = points + 7 WHERE id = '$two'");
sql("SELECT cdms.fault('delay', '--path', 'sector', '--ms', '@{[1500 * CrmTest::SLOWER]}')");
$reader->send("SELECT count(*) FILTER (WHERE name = 'Edited'), sum(points) FROM (SELECT name, points FROM crm.account WHERE id IN ('$one', '$two') UNION ALL SELECT NULL, 0 FROM crm.sector) a;\n");
$node->poll_query_until('postgres', "SELECT cdms.control('fault', 'list') NOT LIKE '%delay%'");
$writer->query('COMMIT');
is($reader->finish, '1|200', 'the overlaid row has what the snapshot has of the CRM\'s own columns');
is($writer->errors . $reader->errors, '', 'nobody has an error');
is(sql("SELECT string_agg(points::text, ' ' ORDER BY id) FROM crm.account_store WHERE points IS NOT NULL"), '93 107', 'and they were moved while it asked');

done_testing();
