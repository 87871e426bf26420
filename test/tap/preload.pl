# The library works without preloading, and preloaded in each of the two ways.

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
			SELECT cdms.create_server();
			CREATE SCHEMA crm;
			IMPORT FOREIGN SCHEMA cdms LIMIT TO (optevia_sector) FROM SERVER cdms INTO crm;
			SELECT count(*) > 10 FROM crm.optevia_sector}),
		"\nt", $title);
	$node->stop;
}

done_testing();
