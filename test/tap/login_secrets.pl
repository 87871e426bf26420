# What a login leaves in the server's log at debug5, with clients, in pg_stat_activity and in
# what failed: no password in any form it is sent in, no token, no cookie, no query of a
# login's URLs, no page of it; also where CDMS, ADFS or a proxy shows in an error page what
# it was sent.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmSession;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $password = 'oPen"Ses\'ame 99%';
my $wrong = 'sHut|Sesame';
my $node = CrmTest::node('secrets', 'log_min_messages = debug5', "log_statement = 'none'");
my $port = $node->safe_psql('postgres', 'SELECT port FROM cdms.simulator');
my $told = '';

sub run
{
	my ($sql) = @_;
	my ($status, $output, $errors) = $node->psql('postgres',
		"SET client_min_messages = debug5; SET crm_sync.log_requests = 'notice';\n$sql", on_error_stop => 0);

	$told .= "$output\n$errors\n";
	return "$output$errors";
}

my $quoted = $password =~ s/'/''/gr;
$node->safe_psql('postgres', qq{
	SELECT cdms.control('user', 'UKTI\\clerk', '$quoted'), cdms.switch('login', 'adfs');
	CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync
		OPTIONS (url 'http://127.0.0.1:$port/UKTI', auth 'adfs', adfs_url 'http://localhost:$port/adfs/ls/');
	CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'UKTI\\clerk', password '$quoted');
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.organisation (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
	SELECT crm_sync.create_store('crm.organisation')});

my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my $read = "SELECT name FROM crm.organisation WHERE id = '$key';";
my $write = "UPDATE crm.organisation SET name = name || '!' WHERE id = '$key';";

# A page of a login, with a mark in each place: in its text, in what is sent back.
my $form = '<html><p>mark-of-page<form method=post action="/adfs/ls/"><input name=mark-of-name value=mark-of-value>'
  . '<input name=Username><input name=Password type=password></form>';

sub log_in_by
{
	my ($auth) = @_;

	$node->safe_psql('postgres', "
		ALTER SERVER cdms OPTIONS (SET auth '$auth');
		ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$quoted');
		SELECT cdms.switch('login', '$auth')");
	return;
}

for my $auth ('adfs', 'ntlm')
{
	log_in_by($auth);
	like(run($read), qr/O'Neil & Sons/, "$auth: the password is right");
	for my $fault ("'status', '--path', '/adfs/ls/', '--status', '500', '--body', '<html>no'",
		"'status', '--path', '/adfs/ls/', '--verb', 'GET', '--status', '200', '--body', '$form'",
		"'status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '200', '--times', '2', '--body', '$form'",
		"'status', '--path', '/adfs/ls/', '--verb', 'POST', '--status', '302', '--header', 'Location: http://x.example.org/?wresult=token'",
		"'reset-after', '--path', '/adfs/ls/', '--verb', 'POST'", "'cut', '--path', '/UKTI', '--bytes', '9'",
		"'login', '--times', '2'")
	{
		$node->safe_psql('postgres', "SELECT cdms.fault($fault)");
		run($read);
		$node->safe_psql('postgres', "SELECT cdms.fault('clear'), cdms.control('expire')");
	}
	# What a superuser sees of a session that is about to log in, or about to ask.
	for my $path ($auth eq 'adfs' ? '/adfs/ls/' : (), 'AccountSet')
	{
		my $session = CrmSession->new($node);
		my $pid = $session->pid;

		$node->safe_psql('postgres', "SELECT cdms.control('expire'), cdms.fault('hang', '--path', '$path', '--forever')");
		$session->begin("$read\n");
		$node->poll_query_until('postgres', "
			SELECT state = 'active' AND wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $pid");
		my $activity = $node->safe_psql('postgres', 'TABLE pg_stat_activity');
		like($activity, qr/\|$pid\|[^\n]*\Q$read\E/, "$auth: a superuser sees who waits at $path");
		$told .= $activity;
		$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
		$told .= $session->finish . $session->errors;
		$session->close;
	}
	$node->safe_psql('postgres', "ALTER USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (SET password '$wrong')");
	like(run("$read\n$read"), qr/ERROR:.*ERROR:  login to server "cdms" was refused/s, "$auth: it is wrong");
	run("EXPLAIN (VERBOSE, ANALYZE) $read");
}

# Pages that show what was sent: the login's own, in place of data and of a write's answer,
# in that of a queued write.
my %pages = (basic => [], ntlm => [],
	adfs => [ [ '/UKTI/', 'GET' ], [ '/adfs/ls/', 'GET' ], [ '/adfs/ls/', 'POST' ], [ '/UKTI/', 'POST' ] ]);
my %echoed;

sub echo
{
	my ($path, $verb, @how) = @_;
	my $fault = join ', ', map { "'$_'" } 'echo', '--path', $path, '--verb', $verb, @how;
	my $expire = $path =~ m{^/} ? "SELECT cdms.control('expire');" : '';

	my ($quoted_from) = run("SELECT cdms.fault($fault); $expire" . ($verb eq 'MERGE' ? $write : $read)) =~
	  /^DETAIL:  (CDMS answered \d+|It begins|It is a login form|It may repeat)/m;

	$echoed{$quoted_from}++ if $quoted_from;
	return;
}

for my $auth ('basic', 'adfs', 'ntlm')
{
	log_in_by($auth);
	for my $page (@{ $pages{$auth} }, [ 'AccountSet', 'GET' ], [ 'AccountSet', 'MERGE' ])
	{
		for my $as ('html', 'careless', 'json', 'token', 'xml', 'text')
		{
			echo(@$page, '--as', $as, '--status', '400');
			echo(@$page, '--as', $as, '--status', '200', '--part', 'secrets') if $page->[0] eq 'AccountSet';
		}
		echo(@$page, '--as', $_, '--part', 'headers') for 'html', 'json';
		next unless $page->[1] eq 'POST';
		echo(@$page, '--as', 'html', '--part', 'body');
		echo(@$page, '--as', $_, '--part', 'fields') for 'html', 'careless', 'json', 'xml', 'text';
	}
	$node->safe_psql('postgres', "
		SELECT cdms.fault('clear');
		SELECT crm_sync.pull('crm.organisation');
		ALTER FOREIGN TABLE crm.organisation OPTIONS (ADD writes 'queue');
		$write
		SELECT cdms.fault('echo', '--verb', 'MERGE', '--as', 'json', '--part', 'headers')");
	run("SELECT crm_sync.push('crm.organisation');");
	$node->safe_psql('postgres', "ALTER FOREIGN TABLE crm.organisation OPTIONS (DROP writes)");
	my $failed = $node->safe_psql('postgres', 'SELECT last_error FROM crm_sync.failed');
	like($failed, qr/CDMS answered 500/, "$auth: what failed has CDMS's words");
	$told .= $failed;
	$node->safe_psql('postgres', 'SELECT crm_sync.discard(id) FROM crm_sync.failed');

	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD format 'atom')");
	echo('AccountSet', 'GET', '--as', $_->[0], '--status', '200', '--part', $_->[1])
	  for [ 'tag', 'headers' ], [ 'tag', 'secrets' ], [ 'wide', 'secrets' ];
	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (DROP format)");

	# A link to the next page, which leads to itself.
	$node->safe_psql('postgres', "
		SELECT cdms.fault('echo', '--path', 'AccountSet', '--as', 'link', '--status', '200', '--part', 'secrets', '--forever')");
	like(run($read), qr{GET http\S+/AccountSet/\S*\(hidden\)\S*: 200.*The link is "http\S+/AccountSet/\S*\(hidden\)}s,
		"$auth: a link in a circle is shown");
	$node->safe_psql('postgres', "SELECT cdms.fault('clear')");

	# Where to is said without its query.
	$node->safe_psql('postgres', "SELECT cdms.fault('status', '--path', 'AccountSet', '--status', '302', '--header', 'Location: /elsewhere?wresult=token')");
	like(run($read), qr{pointed to "/elsewhere"}, "$auth: a redirect is shown");

	# A refusal is said again later.
	echo($auth eq 'adfs' ? ('/adfs/ls/', 'POST') : ('AccountSet', 'GET'), '--status', '401', '--as', 'text', '--times', '9');
	$node->safe_psql('postgres', "SELECT cdms.fault('clear')");
}
is_deeply([ sort keys %echoed ], [ 'CDMS answered 400', 'CDMS answered 401', 'CDMS answered 500', 'It begins', 'It may repeat' ],
	'pages are quoted in each way');

# A token in the query of a redirect, in the words of the page that it leads to.
log_in_by('adfs');
$node->safe_psql('postgres', "
	SELECT cdms.control('expire'),
	       cdms.fault('status', '--path', '/UKTI/', '--verb', 'GET', '--status', '302', '--header',
	                  'Location: http://localhost:$port/adfs/ls/?ctx=1&token=seCret%2FtOken-0123456789#x'),
	       cdms.fault('status', '--path', '/adfs/ls/', '--status', '500', '--body', 'No seCret/tOken-0123456789.')");
like(run("\\c -\n$read"), qr/answered 500: No \(hidden\)/, 'a token of a redirect is not quoted');
unlike($told, qr/tOken-0123/, 'nowhere');
$node->safe_psql('postgres', "SELECT cdms.fault('clear')");

my $log = slurp_file($node->logfile);
like($log, qr{crm_sync: POST http://localhost:$port/adfs/ls/: 200}, 'a login\'s requests are logged');
for my $secret ($password, $wrong)
{
	my $encoded = $secret =~ s/([^A-Za-z0-9._~()',\/:\$-])/sprintf '%%%02X', ord $1/ger;

	for my $form ($secret, $encoded)
	{
		is(index($log, $form), -1, 'no password was logged');
		is(index($told, $form), -1, 'nor a client told one');
	}
}
ok($log . $told !~ /oPen|Ses.{1,6}ame/, 'nor a part of one');

# The cookies and Authorization headers that CDMS was sent.
my $requests = $node->safe_psql('postgres', "SELECT cdms.control('log', '--raw')");
my %sent = map { $_ => 1 } $requests =~ /^Authorization: \S+ (\S+)/mg;
for my $cookies ($requests =~ /^Cookie: (.*)/mg)
{
	$sent{$_} = 1 for $cookies =~ /=([^;]+)/g;
}
cmp_ok(scalar(keys %sent), '>', 20, 'CDMS was sent cookies and logins');
is(scalar(grep { index($log . $told, substr($_, 0, 12)) >= 0 } keys %sent), 0, 'which are not shown');
for my $secret (qr/wresult=[^(]/, qr/wctx=[^(]/, qr/whr=/, qr/MSISAuth\d?=[^(]/, qr/NTLM TlRM/, qr/RequestSecurityToken/,
	qr/VIEWSTATE/, qr/mark-of/)
{
	ok($log . $told !~ $secret, "nor anything with $secret");
}

done_testing();
