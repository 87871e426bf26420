# crm_sync.reconcile() while others write here: what they push after CDMS has been
# asked is no difference, and is not repaired.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use Test::More;

my $node = CrmTest::node('meanwhile');
my $key = "'4e610000-0000-4000-8000-0000000000";

$node->safe_psql('postgres', q{
	SELECT cdms.create_server($$ request_timeout '1h' $$);
	CREATE FOREIGN TABLE region (
		id   uuid OPTIONS (property 'optevia_ukregionId') NOT NULL,
		name text OPTIONS (property 'optevia_name')
	) SERVER cdms OPTIONS (entity 'optevia_ukregion', on_missing 'delete');
	SELECT crm_sync.create_store('region');
	SELECT crm_sync.pull('region')});
my ($one, $other) = map { CrmSession->new($node) } 1 .. 2;

# The answer is made at once, and comes byte by byte while the other writes.
$other->query("SELECT cdms.log_clear(); SELECT cdms.fault('drip', '--verb', 'GET', '--ms', '@{[CrmTest::SLOWER]}')");
$one->send("SELECT right(key::text, 2), difference FROM crm_sync.reconcile('region', true);\n");
$node->poll_query_until('postgres', "SELECT cdms.control('fault', 'list') NOT LIKE '%drip%'")
  or die 'nothing was asked';
$other->query("UPDATE region_store SET name = 'Written' WHERE id = ${key}01'");
$other->query("INSERT INTO region VALUES (${key}90', 'Created')");
$other->query("DELETE FROM region_store WHERE id = ${key}12'");
is($one->finish, '', 'nothing differs');

my ($again) = grep { / or / } split /\n/, $node->safe_psql('postgres', q{SELECT cdms.log('GET')});
is(join(' ', $again =~ /(\d\d)'/g), '01 12 90', 'what was written meanwhile was asked for once more');
is($one->query("SELECT name FROM region_store WHERE id = ${key}01'"), 'Written', 'what was written stays');
is($one->query("SELECT name FROM region_store WHERE id = ${key}90'"), 'Created', 'and what was created');
is($one->query("SELECT count(*) FROM region_store WHERE id = ${key}12'"), '0', 'what was deleted is gone');
is($one->query("SELECT * FROM crm_sync.reconcile('region')"), '', 'both sides are the same');
is($one->errors . $other->errors, '', 'no errors');

$node->stop;
done_testing();
