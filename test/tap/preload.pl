# The library works without preloading, and preloaded in each of the two ways.  With
# max_age a session remembers what it has asked; only where the server has loaded
# the library do others know, and are requests counted together, which is shown to
# those who may use the server.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use Test::More;

for my $setting ('', "session_preload_libraries = 'crm_sync'",
	"shared_preload_libraries = 'crm_sync'")
{
	my $node = CrmTest::node($setting =~ /^(\w+)/ ? $1 : 'none', $setting);
	my $title = $setting || 'not preloaded';

	is( $node->safe_psql('postgres', q{
			SELECT cdms.create_server($$ max_age '1h' $$);
			CREATE SCHEMA crm;
			IMPORT FOREIGN SCHEMA cdms LIMIT TO (optevia_sector) FROM SERVER cdms INTO crm;
			SELECT crm_sync.create_store('crm.optevia_sector');
			SELECT count(*) > 10 FROM crm.optevia_sector;
			SELECT cdms.log_clear();
			SELECT count(*) > 10 FROM crm.optevia_sector;
			SELECT cdms.requests()}),
		"\ncrm.optevia_sector_store\nt\n\nt\n0", $title);

	my $shared = $setting =~ /^shared/;
	is( $node->safe_psql('postgres', q{
			SELECT count(*) > 10 FROM crm.optevia_sector;
			SELECT cdms.requests() > 0;
			SELECT scope FROM crm_sync.stat_requests}),
		$shared ? "t\nf\ncluster" : "t\nt\nsession", "$title: another session");

	my $counts = 'SET ROLE stranger; SELECT count(*) FROM crm_sync.stat_requests';
	is($node->safe_psql('postgres', "CREATE ROLE stranger; $counts"), '0', "$title: a stranger");
	is($node->safe_psql('postgres', "GRANT USAGE ON FOREIGN SERVER cdms TO stranger; $counts"),
		$shared ? '1' : '0', "$title: somebody who may use the server");
	$node->stop;
}

done_testing();
