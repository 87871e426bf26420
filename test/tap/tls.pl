# https, at a real nginx: which certificates are believed, which versions are
# spoken, client certificates and to whom they are lent; and through a real proxy.
# Where the server is not believed nothing is said to it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use CrmServer;
use CrmTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = CrmServer::directory('tls');

CrmServer::certificate($dir, 'ca', ca => 1);
CrmServer::certificate($dir, 'withdrawn', ca => 1);
my $here = 'DNS:localhost,IP:127.0.0.1';
CrmServer::certificate($dir, 'good', issuer => 'ca', names => $here);
CrmServer::certificate($dir, 'expired', issuer => 'ca', names => $here, days => -1);
CrmServer::certificate($dir, 'other_name', issuer => 'ca', names => 'DNS:crm.example.org');
CrmServer::certificate($dir, 'self_signed', names => $here);
CrmServer::certificate($dir, 'of_withdrawn_ca', issuer => 'withdrawn', names => $here);
CrmServer::imitation($dir, 'imitation') or BAIL_OUT('the system trusts no CA');
CrmServer::certificate($dir, 'imitated', issuer => 'imitation', names => $here);
CrmServer::certificate($dir, 'client', issuer => 'ca');
CrmServer::certificate($dir, 'strange_client', issuer => 'withdrawn');
CrmServer::certificate($dir, 'branch', issuer => 'ca', ca => 1);
CrmServer::certificate($dir, 'revoked_branch', issuer => 'ca', ca => 1);
CrmServer::certificate($dir, 'revoked', issuer => 'branch', names => $here);
CrmServer::certificate($dir, 'of_branch', issuer => 'branch', names => $here);
CrmServer::certificate($dir, 'of_revoked_ca', issuer => 'revoked_branch', names => $here);
CrmServer::bundle($dir, "$_->[0].pem", "$_->[0].pem", "$_->[1].pem")
  for [ 'revoked', 'branch' ], [ 'of_branch', 'branch' ], [ 'of_revoked_ca', 'revoked_branch' ];
CrmServer::revocations($dir, 'ca', 'ca', 1, 'revoked_branch');
CrmServer::revocations($dir, 'old', 'ca', -1);
CrmServer::revocations($dir, 'branch', 'branch', 1, 'revoked');
CrmServer::revocations($dir, 'revoked_branch', 'revoked_branch', 1);
CrmServer::bundle($dir, 'all.crl', 'ca.crl', 'branch.crl', 'revoked_branch.crl');
CrmServer::bundle($dir, 'old_and_branch.crl', 'old.crl', 'branch.crl');

# The environment's proxies are not looked at.
$ENV{$_} = 'http://127.0.0.1:1' for qw(http_proxy https_proxy all_proxy);
my $node = CrmTest::node('tls');
my $simulator = $node->safe_psql('postgres', 'SELECT port FROM cdms.simulator');

# A server block each; the port by name.
my %port;
my @blocks;

sub tls
{
	my ($name, $certificate, @lines) = @_;

	$port{$name} = CrmServer::port();
	push @blocks, join "\n", 'server {', "listen 127.0.0.1:$port{$name} ssl;",
	  "ssl_certificate $dir/$certificate.pem; ssl_certificate_key $dir/$certificate.key;",
	  "location / { proxy_pass http://127.0.0.1:$simulator; proxy_set_header Host \$http_host;",
	  'proxy_set_header X-Forwarded-Proto ' . ($name eq 'downgrade' ? 'http' : 'https') . '; }', @lines, "}\n";
	return;
}

tls($_, $_) for qw(good expired other_name self_signed of_withdrawn_ca imitated revoked of_branch of_revoked_ca);
tls('tls12', 'good', 'ssl_protocols TLSv1.2;');
tls('tls13', 'good', 'ssl_protocols TLSv1.3;');
tls('tls11', 'good', 'ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;');
tls('client', 'good', "ssl_client_certificate $dir/ca.pem; ssl_verify_client on;");
tls('downgrade', 'good');
CrmServer::write_file("$dir/nginx.conf", CrmServer::nginx($dir, @blocks));
CrmServer::start($port{good}, 'nginx', '-e', "$dir/error.log", '-c', "$dir/nginx.conf");

sub sql
{
	my ($sql) = @_;
	my ($status, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");

	return $status == 0 && $error eq '' ? $output : "$output$error";
}

my $key = 'aaaaaaaa-0000-4000-8000-000000000001';
my $read = "SELECT name FROM crm.organisation WHERE id = '$key'";

# Reads from this server of nginx's, with CDMS's log cleared before.
sub read_from
{
	my ($name, $host) = @_;

	$host ||= 'localhost';
	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url 'https://$host:$port{$name}/UKTI')");
	$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
	return sql($read);
}

$node->safe_psql('postgres', qq{
	SELECT cdms.control('user', 'clerk', 'secret');
	CREATE SERVER cdms FOREIGN DATA WRAPPER crm_sync
		OPTIONS (url 'https://localhost:$port{good}/UKTI', auth 'basic', ca_file '$dir/ca.pem');
	CREATE USER MAPPING FOR CURRENT_USER SERVER cdms OPTIONS (username 'clerk', password 'secret');
	CREATE SCHEMA crm;
	CREATE FOREIGN TABLE crm.organisation (
		id   uuid OPTIONS (property 'AccountId') NOT NULL,
		name text OPTIONS (property 'Name')
	) SERVER cdms OPTIONS (entity 'Account');
});

# ------------------------------------------------------------- certificates

is(read_from('good'), "O'Neil & Sons", 'a certificate of ca_file is believed');
is(read_from('good', '127.0.0.1'), "O'Neil & Sons", 'also for an address');
is(sql('SELECT count(*) FROM crm.organisation'), '500', 'page after page');

for my $case (
	[ 'expired', qr/certificate has expired/ ],
	[ 'other_name', qr/no alternative certificate subject name matches/ ],
	[ 'self_signed', qr/self-signed certificate/ ],
	[ 'of_withdrawn_ca', qr/unable to get local issuer certificate/ ])
{
	my ($name, $words) = @$case;

	like(read_from($name), qr/ERROR:  08001: could not connect.*$words.*HINT:  The option "ca_file" names the certificates/s,
		"not believed: $name");
	is(sql('SELECT cdms.requests()'), '0', 'and told nothing');
}

$node->safe_psql('postgres', 'ALTER SERVER cdms OPTIONS (DROP ca_file)');
like(read_from('good'), qr/ERROR:  08001: .*unable to get local issuer certificate/s, 'without ca_file the system\'s count');
like(read_from('imitated'), qr/ERROR:  08001: (?!.*unable to get local issuer certificate)/s, 'the system\'s are looked at');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD ca_file '$dir/ca.pem')");
like(read_from('imitated'), qr/ERROR:  08001: .*unable to get local issuer certificate/s, 'with ca_file they are not');
$node->safe_psql('postgres', 'ALTER SERVER cdms OPTIONS (DROP ca_file)');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD ca_file '$dir/absent.pem')");
like(read_from('good'), qr/ERROR:  08001: .*HINT:  Check the option "ca_file"/s, 'a ca_file that can\'t be read is none');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET ca_file '$dir/ca.pem')");

# --------------------------------------------------------------- revocations

for my $name ('of_branch', 'revoked', 'of_revoked_ca')
{
	is(read_from($name), "O'Neil & Sons", "without crl_file nobody says otherwise: $name");
}
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD crl_file '$dir/all.crl')");
is(read_from('of_branch'), "O'Neil & Sons", 'what no list names is believed');
is(read_from('good'), "O'Neil & Sons", 'also of another CA');
for my $name ('revoked', 'of_revoked_ca')
{
	like(read_from($name), qr/ERROR:  08001: could not connect.*certificate revoked.*HINT:  The option "ca_file" names/s,
		"not believed: $name");
	is(sql('SELECT cdms.requests()'), '0', 'and told nothing');
}
for my $case (
	[ 'ca.crl', qr/unable to get certificate CRL/, 'where one CA has no list there' ],
	[ 'old_and_branch.crl', qr/CRL has expired/, 'nor where a list is old' ])
{
	my ($file, $words, $name) = @$case;

	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET crl_file '$dir/$file')");
	like(read_from('of_branch'), qr/ERROR:  08001: .*$words/s, "nothing is believed $name");
}
for my $file ('absent.crl', 'ca.key')
{
	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET crl_file '$dir/$file')");
	like(read_from('good'), qr/ERROR:  08001: .*HINT:  Check the option "crl_file"/s, "a crl_file that can't be read is none: $file");
}
$node->safe_psql('postgres', 'ALTER SERVER cdms OPTIONS (DROP crl_file)');

# ----------------------------------------------------------------- versions

is(read_from('tls12'), "O'Neil & Sons", 'TLS 1.2 is spoken');
CrmServer::logged("$dir/access.log", qr/^TLSv1\.2 /m, 'as nginx saw');
is(read_from('tls13'), "O'Neil & Sons", 'TLS 1.3 is spoken');
CrmServer::logged("$dir/access.log", qr/^TLSv1\.2 .*\nTLSv1\.3 /m, 'as nginx saw');
like(read_from('tls11'), qr/ERROR:  08001: .*HINT:  The server must speak TLS 1\.2/s, 'TLS 1.1 is not');

is(read_from('downgrade'), "O'Neil & Sons", 'a page by https');
like(sql('SELECT count(*) FROM crm.organisation'), qr/ERROR:  HV000: CDMS's link to the next page leads to another place/,
	'is not followed by one without it');

# ------------------------------------------------------ client certificates

like(read_from('client'), qr/ERROR:  HV000: .*No required SSL certificate/s, 'a client certificate can be missing');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD client_cert '$dir/client.pem', ADD client_key '$dir/client.key')");
is(read_from('client'), "O'Neil & Sons", 'or be there');
CrmServer::logged("$dir/access.log", qr/ CN=client GET 200/, 'as nginx saw');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET client_cert '$dir/strange_client.pem', SET client_key '$dir/strange_client.key')");
like(read_from('client'), qr/ERROR:  HV000: .*SSL certificate error/s, 'or be of a CA that the server does not know');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET client_cert '$dir/client.pem')");
like(read_from('client'), qr/ERROR:  08001: .*HINT:  Check the options "client_cert" and "client_key"/s, 'or not fit its key');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET client_key '$dir/client.key')");

# To whom it is lent: who brings a password of his own, or whom a superuser trusts.
$node->safe_psql('postgres', q{
	CREATE ROLE regress_crm_user;
	GRANT USAGE ON SCHEMA crm TO regress_crm_user;
	GRANT SELECT ON crm.organisation TO regress_crm_user;
	CREATE USER MAPPING FOR regress_crm_user SERVER cdms OPTIONS (username 'clerk', password 'secret')});
my $his = "SET ROLE regress_crm_user; $read";

for my $auth ('basic', 'none')
{
	$node->safe_psql('postgres', "SELECT cdms.control('user', 'off'), cdms.log_clear(); ALTER SERVER cdms OPTIONS (SET auth '$auth')");
	like(sql($his), qr/ERROR:  2F003: password is required.*server's own ticket or certificate.*HINT:  A superuser can set/s,
		"$auth: it is lent to nobody, whatever password he brings");
	is(sql('SELECT cdms.requests()'), '0', 'and nothing is sent');
}
$node->safe_psql('postgres', "ALTER USER MAPPING FOR regress_crm_user SERVER cdms OPTIONS (ADD password_required 'false')");
is(sql($his), "O'Neil & Sons", 'but to whom a superuser trusts with it');
like(sql("SET ROLE regress_crm_user; ALTER SERVER cdms OPTIONS (SET client_key '/etc/passwd')"),
	qr/ERROR:  42501/, 'who may not name other files');

# ------------------------------------------------------------------- a proxy

my $proxy = CrmServer::port();

CrmServer::write_file("$dir/apache.conf",
	CrmServer::apache($dir, $proxy, 'proxy_connect') . <<"END");
ProxyRequests On
AllowCONNECT $port{good} $port{expired}
LogFormat "%r %>s" told
CustomLog $dir/proxy.log told
END
CrmServer::start($proxy, 'apache2', '-X', '-f', "$dir/apache.conf");
$node->safe_psql('postgres', qq{
	SELECT cdms.control('user', 'clerk', 'secret');
	ALTER SERVER cdms OPTIONS (SET auth 'basic', ADD proxy 'http://127.0.0.1:$proxy', DROP client_cert, DROP client_key)});
is(read_from('good'), "O'Neil & Sons", 'https through a proxy');
$node->safe_psql('postgres', 'SELECT cdms.log_clear()');
is(sql('SELECT count(*) FROM crm.organisation'), '500', 'page after page');
is(sql('SELECT cdms.requests()'), '10', 'each once');
like(read_from('tls13'), qr/ERROR:  08001: .*HINT:  Check the option "proxy"/s, 'a proxy may refuse');
like(read_from('expired'), qr/ERROR:  08001: .*certificate has expired/s, 'through a proxy certificates are looked at, too');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET url 'http://127.0.0.1:$simulator/UKTI')");
is(sql($read), "O'Neil & Sons", 'http through a proxy');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET proxy 'http://127.0.0.1:1')");
like(sql($read), qr/ERROR:  08001: /, 'a proxy that is not there is not passed by');

CrmServer::logged("$dir/proxy.log", qr{^CONNECT localhost:$port{good} HTTP/1\.1 200$}m, 'the proxy sees a tunnel');
CrmServer::logged("$dir/proxy.log", qr{^CONNECT localhost:$port{tls13} HTTP/1\.1 403$}m, 'or does not let it be');
CrmServer::logged("$dir/proxy.log", qr{^GET http://127\.0\.0\.1:$simulator/UKTI/.* 200$}m,
	'without https it sees what is asked');
unlike(slurp_file("$dir/proxy.log"), qr/localhost:\d+\/|https:/, 'of what is in the tunnel it sees nothing');

# A proxy that is spoken to by https, the port by its certificate.
my $proxies = CrmServer::directory('proxies');
my %proxied = map { $_ => CrmServer::port() } qw(good of_withdrawn_ca imitated revoked);

CrmServer::write_file("$proxies/apache.conf",
	CrmServer::apache($proxies, CrmServer::port(), qw(proxy_connect ssl)) . join '',
	map { <<"END" } sort keys %proxied);
Listen 127.0.0.1:$proxied{$_}
<VirtualHost 127.0.0.1:$proxied{$_}>
SSLEngine on
SSLCertificateFile $dir/$_.pem
SSLCertificateKeyFile $dir/$_.key
ProxyRequests On
AllowCONNECT $port{good}
</VirtualHost>
END
CrmServer::start($proxied{good}, 'apache2', '-X', '-f', "$proxies/apache.conf");

sub read_through
{
	my ($name) = @_;

	$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (SET proxy 'https://localhost:$proxied{$name}')");
	return read_from('good');
}

is(read_through('good'), "O'Neil & Sons", 'a proxy is believed that has a certificate of ca_file');
is(read_through('revoked'), "O'Neil & Sons", 'without crl_file nobody says otherwise');
$node->safe_psql('postgres', "ALTER SERVER cdms OPTIONS (ADD crl_file '$dir/all.crl')");
for my $case (
	[ 'of_withdrawn_ca', qr/unable to get local issuer certificate/ ],
	[ 'imitated', qr/unable to get local issuer certificate/ ],
	[ 'revoked', qr/certificate revoked/ ])
{
	my ($name, $words) = @$case;

	like(read_through($name), qr/ERROR:  08001: .*$words/s, "not believed: $name");
	is(sql('SELECT cdms.requests()'), '0', 'and told nothing');
}
is(read_through('good'), "O'Neil & Sons", 'what no list names is believed');

done_testing();
