//! A directory: OpenLDAP's own server on free ports of loopback, with a few people, gone with the test.

use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tempfile::TempDir;

/// Who looks people up.
pub(super) const READER: &str = "cn=reader,dc=example,dc=org";
pub(super) const READERS_PASSWORD: &str = "canary-of-the-reader";
/// The password of everybody else.
pub(super) const PASSWORD: &str = "canary-of-the-directory";
/// What the directory calls anna for ever; of the others the last digit is another.
pub(super) const ANNA: &str = "7d0a8a60-0000-4000-8000-000000000001";
pub(super) const BERT: &str = "7d0a8a60-0000-4000-8000-000000000002";

/// A running server.
pub(super) struct Slapd {
    server: Child,
    pub(super) plain: String,
    pub(super) tls: String,
    directory: TempDir,
}

impl Slapd {
    pub(super) fn start() -> Self {
        Self::with(true)
    }

    /// One that speaks no TLS; nobody listens at its address for it.
    pub(super) fn without_tls() -> Self {
        Self::with(false)
    }

    fn with(speaks_tls: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        certify(&directory);
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("db")).unwrap();
        fs::write(path("slapd.conf"), configuration(&directory, speaks_tls)).unwrap();
        fs::write(path("people.ldif"), people()).unwrap();
        let loaded = Command::new(binary("slapadd"))
            .arg("-f")
            .arg(path("slapd.conf"))
            .arg("-l")
            .arg(path("people.ldif"))
            .output()
            .unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        // Somebody else may take a port that was free a moment ago.
        for _ in 0..8 {
            let [plain, tls] =
                ["ldap", "ldaps"].map(|scheme| format!("{scheme}://127.0.0.1:{}", free_port()));
            let mut server = Command::new(binary("slapd"))
                .arg("-f")
                .arg(path("slapd.conf"))
                .args(["-h", &if speaks_tls { format!("{plain} {tls}") } else { plain.clone() }])
                .args(["-d", "stats"])
                .stderr(File::create(path("log")).unwrap())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            if answers(&mut server, &plain) {
                return Self { server, plain, tls, directory };
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("{}", fs::read_to_string(path("log")).unwrap());
    }

    /// The variables that set it up, by StartTLS; those that are given count before its own.
    pub(super) fn settings(&self, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let authority = self.authority().display().to_string();
        let own = [
            ("LDAP_URL", self.plain.as_str()),
            ("LDAP_TLS_CA_FILE", &authority),
            ("LDAP_BIND_DN", READER),
            ("LDAP_BIND_PASSWORD", READERS_PASSWORD),
            ("LDAP_SEARCH_BASE", "dc=example,dc=org"),
        ];
        let mut all: Vec<_> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        all.extend(own.map(|(name, value)| (name, value.to_owned())));
        all
    }

    /// The certificate of who vouches for it.
    pub(super) fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// What it was asked, a line each.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Debian keeps servers where not everybody's path leads.
fn binary(name: &str) -> PathBuf {
    let debians = PathBuf::from("/usr/sbin").join(name);
    if debians.exists() { debians } else { name.into() }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether the server listens, or no if it is over.
fn answers(server: &mut Child, url: &str) -> bool {
    let address = url.strip_prefix("ldap://").unwrap();
    for _ in 0..500 {
        if server.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// An authority, and the server's certificate, which is for its address alone.
fn certify(directory: &TempDir) {
    let (of_authority, of_server) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&of_authority).unwrap();
    let authority = Issuer::new(authority, of_authority);
    let mut server = CertificateParams::default();
    server.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let servers = server.signed_by(&of_server, &authority).unwrap();
    let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
    write("authority.pem", certificate.pem());
    write("server.pem", servers.pem());
    write("server.key", of_server.serialize_pem());
}

/// Passwords are for judging; only the reader may look. As with many a directory, whoever shows no password is
/// let in as nobody in particular.
fn configuration(directory: &TempDir, tls: bool) -> String {
    let at = directory.path().display();
    let schemas =
        ["core", "cosine", "inetorgperson"].map(|it| format!("include /etc/ldap/schema/{it}.schema"));
    let certificates = format!(
        "TLSCACertificateFile {at}/authority.pem
TLSCertificateFile {at}/server.pem
TLSCertificateKeyFile {at}/server.key
"
    );
    let certificates = if tls { certificates.as_str() } else { "" };
    format!(
        "{schemas}
modulepath /usr/lib/ldap
moduleload back_mdb
allow bind_anon_cred
{certificates}database mdb
maxsize 10485760
suffix dc=example,dc=org
directory {at}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.base=\"{READER}\" read by * none
",
        schemas = schemas.join("\n")
    )
}

fn people() -> String {
    let person = |digit: u8, uid: &str, mail: &str| {
        format!(
            "dn: uid={uid},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: {uid}
cn: {uid}
sn: {uid}
mail: {mail}
userPassword: {PASSWORD}
entryUUID: 7d0a8a60-0000-4000-8000-00000000000{digit}
"
        )
    };
    [
        "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n"
            .to_owned(),
        "dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n".to_owned(),
        format!(
            "dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n\
             userPassword: {READERS_PASSWORD}\n"
        ),
        person(1, "anna", "anna@example.org"),
        person(2, "bert", "both@example.org"),
        person(3, "cleo", "both@example.org"),
        "dn: cn=bosses,dc=example,dc=org\nobjectClass: groupOfNames\ncn: bosses\n\
         member: uid=bert,ou=people,dc=example,dc=org\n"
            .to_owned(),
    ]
    .join("\n")
}
