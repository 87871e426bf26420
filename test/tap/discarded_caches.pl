# While a statement is planned and run others may change what it has looked up: tables,
# triggers, options.  Where the server can (the one that is built for valgrind), nothing
# that was looked up lasts until the next look, which is the worst that others can do.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $node = CrmTest::node('discarded_caches');
my $one = 'aaaaaaaa-0000-4000-8000-000000000001';
my $new = 'eeeeeeee-0000-4000-8000-000000000001';

$node->safe_psql('postgres', q{
	SELECT cdms.create_server();
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.direct (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	CREATE FOREIGN TABLE crm.synced (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.synced');
});

my $session = CrmSession->new($node);
my $can = $session->query(q{SELECT max_val::integer > 0 FROM pg_settings WHERE name = 'debug_discard_caches'});
note($can eq 't' ? 'caches are discarded' : 'caches are kept');
$session->query('SET debug_discard_caches = 1') if $can eq 't';

is($session->query("SELECT name FROM crm.direct WHERE id = '$one'"), "O'Neil & Sons", 'passing through');
is($session->query("SELECT name FROM crm.synced WHERE id = '$one'"), "O'Neil & Sons", 'synchronising');
# A write takes a quarter of an hour under valgrind.
$session->query('RESET debug_discard_caches') if CrmTest::SLOWER > 1;
$session->query("UPDATE crm.synced SET name = 'Changed' WHERE id = '$one'");
$session->query("INSERT INTO crm.synced (id, name) VALUES ('$new', 'New')");
$session->query("DELETE FROM crm.synced WHERE id = '$new'");
is($session->errors, '', 'no errors');
$session->close;

my $told = $node->safe_psql('postgres',
	q{SELECT string_agg(regexp_replace(log, E'guid\'[^\']*\'', 'key'), E'\n') FROM cdms.log() WHERE log NOT LIKE 'GET%'});
is($told, join("\n", 'MERGE AccountSet(key) {"Name":"Changed"} -> 204',
	qq(POST AccountSet {"AccountId":"$new","Name":"New"} -> 201), 'DELETE AccountSet(key) -> 204'), 'CDMS was told each once');

done_testing();
