# The server crashes in the middle of a COMMIT: after its recovery nothing of
# the transaction is here, and what CDMS had accepted by then is undone there by
# whoever uses it next.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

# Durable, unlike other tests: it is a crash that is tested.
my $node = CrmTest::node('crash', 'fsync = on');

$node->safe_psql('postgres', q{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.account (
		id    uuid OPTIONS (property 'AccountId') NOT NULL,
		name  text OPTIONS (property 'Name'),
		alias text OPTIONS (property 'optevia_Alias')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.account');
	SELECT count(*) FROM crm.account;
});

sub sql
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# All that a transaction writes here.
sub written
{
	return sql(q{
		SELECT (SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM crm.account_store s),
			(SELECT count(*) FROM crm_sync.history), (SELECT count(*) FROM crm_sync.outbox)});
}

# A transaction that creates one object, changes one and deletes one: three
# writes, of which the second or third hangs until the crash.
sub crash
{
	my ($verb, $new) = @_;
	my $before = written();

	sql("SELECT cdms.log_clear(), cdms.fault('hang', '--verb', '$verb')");
	my $session = CrmSession->new($node);
	$session->send(qq{
		BEGIN;
		INSERT INTO crm.account (id, name) VALUES ('$new', 'New');
		UPDATE crm.account_store SET alias = '$verb' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
		DELETE FROM crm.account_store WHERE id = 'aaaaaaaa-0000-4000-8000-000000000030';
		COMMIT;
	});
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM cdms.log('$verb')")
	  or die 'no request hangs';

	$node->stop('immediate');
	$session->close;
	$node->start;
	is(written(), $before, "crash in $verb: here nothing has happened");
	return;
}

# The other side has nothing of it either, once somebody has looked.
sub settled
{
	my ($new, $sent, $name) = @_;
	my $unresolved = sql('SELECT unresolved FROM crm_sync.status');
	my ($result, $out, $err);

	is(sql("SELECT regexp_replace(log, ' .* ', ' ') FROM cdms.log() WHERE log NOT LIKE 'GET %'"),
		$sent, "$name: CDMS has a part of it");
	is($unresolved, '3', "$name: and the status tells so");
	is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', "$name: nothing waits to be sent");

	# A transaction that may not write does not settle it, and shows what CDMS has.
	is(sql("BEGIN READ ONLY; SELECT name FROM crm.account WHERE id = '$new'"),
		'New', "$name: a READ ONLY transaction shows what CDMS has");

	($result, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM crm.account WHERE id = '$new'");
	is("$result $out", '0 0', "$name: the next reader does not see it");
	like($err, qr/WARNING: .* was interrupted as it changed CDMS/, "$name: and is told why");
	is(sql('SELECT unresolved FROM crm_sync.status'), '0', "$name: it is settled");
	is( sql(qq{SELECT cdms.count('Account'),
		coalesce(cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'optevia_Alias'), ''),
		cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000030', 'Name') IS NOT NULL}),
		'500|50% [off]_sale|t', "$name: CDMS is as it was");
	is(sql("SELECT count(*) FROM crm_sync.history WHERE key = '$new'"), '0',
		"$name: and history knows nothing of it");
	return;
}

is(sql("SELECT cdms.count('Account'), coalesce(cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'optevia_Alias'), '')"),
	'500|50% [off]_sale', 'CDMS before');
crash('MERGE', 'eeeeeeee-0000-4000-8000-000000000001');
settled('eeeeeeee-0000-4000-8000-000000000001', "POST 201\nMERGE hang", 'crash in MERGE');
crash('DELETE', 'eeeeeeee-0000-4000-8000-000000000002');
settled('eeeeeeee-0000-4000-8000-000000000002', "POST 201\nMERGE 204\nDELETE hang", 'crash in DELETE');

# The table works, and a transaction of the same kind goes through.
sql(q{
	BEGIN;
	INSERT INTO crm.account (id, name) VALUES ('eeeeeeee-0000-4000-8000-000000000003', 'Newer');
	UPDATE crm.account SET alias = 'after' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000002';
	DELETE FROM crm.account WHERE id = 'aaaaaaaa-0000-4000-8000-000000000030';
	COMMIT;
});
is( sql(q{SELECT cdms.get('Account', 'eeeeeeee-0000-4000-8000-000000000003', 'Name'),
	cdms.get('Account', 'aaaaaaaa-0000-4000-8000-000000000002', 'optevia_Alias'), cdms.count('Account')}),
	'Newer|after|500', 'the next transaction goes through');
is(sql('SELECT count(*) FROM crm.account'), '500', 'both sides have the same number of objects');
is(sql('SELECT count(*) FROM crm_sync.outbox'), '0', 'nothing is left to be sent');
is(sql('SELECT pending, failed FROM crm_sync.status'), '0|0', 'and the status says so');

done_testing();
