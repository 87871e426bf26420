# Thousands of rows in one transaction, ten with CRM_LONG: each is one write, however it goes, and a
# refusal near the end leaves nothing of them.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use Test::More;

my $rows = $ENV{CRM_LONG} ? 10_000 : 2_000;
my $node = CrmTest::node('many_rows');

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Writes that CDMS has carried out, by verb.
sub told
{
	return sql(q{SELECT split_part(log, ' ', 1), count(*), count(DISTINCT log) FROM cdms.log()
		WHERE log NOT LIKE 'GET %' GROUP BY 1 ORDER BY 1});
}


sub write_and_undo
{
	my ($title, $prefix, $inserted, $updated) = @_;

	sql('SELECT cdms.log_clear()');
	sql(qq{INSERT INTO crm.account (id, name)
		SELECT ('$prefix-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'Row ' || i FROM generate_series(1, $rows) i});
	is(told(), $inserted, "$title: INSERT");
	is(sql("SELECT cdms.count('Account')"), 500 + $rows, "$title: CDMS has them");
	is(sql("SELECT count(*) FROM crm.account_store WHERE name LIKE 'Row %'"), $rows, "$title: so has the store");
	is(sql("SELECT count(*) FROM crm_sync.history WHERE origin = 'crm' AND key::text LIKE '$prefix%'"), $rows,
		"$title: and history");

	# The last is refused: the others are undone.
	my ($status, $output, $errors) = $node->psql('postgres', qq{
		BEGIN;
		UPDATE crm.account_store SET alias = 'changed' WHERE name LIKE 'Row %' AND id <> '$prefix-0000-4000-8000-000000000500';
		UPDATE crm.account_store SET sector = '00000000-0000-0000-0000-00000000dead'
			WHERE id = '$prefix-0000-4000-8000-000000000500';
		COMMIT}) if $updated;
	if ($updated)
	{
		like($errors, qr/could not change/, "$title: one of them is refused");
		is(sql("SELECT count(*) FROM crm.account_store WHERE alias = 'changed'"), '0', "$title: nothing is changed here");
		is( sql(q{SELECT count(*) FROM crm.direct WHERE alias = 'changed'}), '0', "$title: nor in CDMS");
	}

	sql("DELETE FROM crm.account_store WHERE name LIKE 'Row %'");
	is(sql("SELECT cdms.count('Account')"), '500', "$title: DELETE");
	is(sql('SELECT (SELECT count(*) FROM crm_sync.outbox), unresolved FROM crm_sync.status'), '0|0',
		"$title: nothing is left to do");
	return;
}

sql(q{
	SELECT cdms.create_server($$ max_connections '4' $$);
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id     uuid OPTIONS (property 'AccountId') NOT NULL,
		name   text OPTIONS (property 'Name'),
		alias  text OPTIONS (property 'optevia_Alias'),
		sector uuid OPTIONS (property 'optevia_Sector', type 'EntityReference')
	) SERVER cdms OPTIONS (entity 'Account');
	CREATE FOREIGN TABLE crm.direct (
		id    uuid OPTIONS (property 'AccountId') NOT NULL,
		alias text OPTIONS (property 'optevia_Alias')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
});
write_and_undo('one by one', 'aaaa1111', "POST|$rows|$rows", 0);

sql(q{ALTER SERVER cdms OPTIONS (ADD batch 'on'); SELECT cdms.switch('batch', 'not-atomic')});
write_and_undo('in change sets', 'bbbb1111', 'POST|' . ($rows / 1000) . '|' . ($rows / 1000), 1);

done_testing();
