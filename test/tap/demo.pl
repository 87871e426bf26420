# The demo's story goes as it tells: each answer that it leads up to comes.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = CrmTest::node('demo');
my $url = $node->safe_psql('postgres', 'SELECT cdms.url()');
my $story = slurp_file("$FindBin::RealBin/../demo.sql");

$story =~ s/\@url\@/$url/;
$node->safe_psql('postgres', 'DROP EXTENSION crm_sync');

my ($status, $output, $errors) = $node->psql('postgres', $story, on_error_stop => 1);
is($status, 0, 'no statement fails');
is($errors, '', 'and none warns');

for my $answer (
	"O'Neil & Sons|01553 496 0199",
	q(MERGE AccountSet(guid'2f1c9a54-7a31-4c0e-9d55-6f0b8a1e2011') )
	  . q({"optevia_Alias":"Engines & Sons","optevia_PAFOverride":true} -> 204),
	"0\nAda's Analytical Engines Ltd\n501",
	"O'Neil & Sons|Sin\xc3\xa9ad|O'Neil",
	"O'Neil & Sons|Grace\n0",
	"update|cdms|496 0000|01553 496 0199|",
	"&\$filter=startswith(Name,'O''Neil')")
{
	like($output, qr/\Q$answer\E/, $answer =~ s/\n/ /gr);
}

done_testing();
