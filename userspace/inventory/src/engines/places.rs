//! Where engines listen unless they are told otherwise: root's at fixed places, and those of users in their runtime folders.
//!
//! What lies in a user's folder is hostile. It is walked without leaving the user's file system and without following
//! links, so that a link cannot lead to another engine, and a mount of the user's own (FUSE) cannot make the agent wait.
//! The socket that was found so is the very one that is connected to, and its listener must be the user's.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, StatxFlags, fstat, open, openat2,
    statx,
};
use rustix::io::Errno;
use vigia_event::container::Engine;

use super::Reach;
use crate::mountinfo::{self, Mountinfo};

/// Where root's engines listen.
const ROOTS: [&str; 5] = [
    "var/run/docker.sock",
    "run/podman/podman.sock",
    "run/containerd/containerd.sock",
    // Of k3s and RKE2.
    "run/k3s/containerd/containerd.sock",
    "run/crio/crio.sock",
];
/// Where users have their runtime folders.
const USERS: &str = "run/user";
/// Where a user's engines listen, below the user's runtime folder.
const OF_USER: [&str; 2] = ["docker.sock", "podman/podman.sock"];
/// Entries looked at among the users' folders.
const MAX_USERS: usize = 1024;
/// Sockets found at most.
const MAX_PLACES: usize = 32;

/// A socket at a usual place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its path.
    pub socket: PathBuf,
    /// Whose containers the engine behind it may describe.
    pub reach: Reach,
}

/// The sockets that are there now, root's first. `root` is the host's root as the agent sees it.
///
/// Bounded in what it looks at; what cannot be looked at is passed over.
#[must_use]
pub fn find(root: &Path) -> Vec<Place> {
    let roots = ROOTS
        .iter()
        .map(|path| root.join(path))
        .filter(|path| is_socket(path));
    let mut places: Vec<Place> = roots
        .map(|socket| Place {
            socket,
            reach: Reach::Everybody,
        })
        .collect();
    let folder = root.join(USERS);
    let mounts = own_mounts();
    for user in users(&folder) {
        for path in OF_USER {
            let socket = folder.join(user.to_string()).join(path);
            if open_among(&socket, user, &mounts).is_ok() {
                places.push(Place {
                    socket,
                    reach: reach_of(user),
                });
            }
        }
    }
    places.truncate(MAX_PLACES);
    places
}

/// Whose containers the engine behind a configured socket may describe: the administrator vouches for it, unless it lies
/// in a user's runtime folder.
#[must_use]
pub fn reach_of_configured(socket: &Path) -> Reach {
    split(socket).map_or(Reach::Everybody, |(_, user, _)| reach_of(user))
}

/// What an engine is taken for by the path of its socket, until it says itself: those that serve Kubernetes are asked in
/// another way, and carry their names.
#[must_use]
pub fn engine_at(socket: &Path) -> Engine {
    let path = socket.to_string_lossy();
    [("containerd", Engine::Containerd), ("crio", Engine::CriO)]
        .into_iter()
        .find(|(name, _)| path.contains(name))
        .map_or(Engine::Unknown, |(_, engine)| engine)
}

/// Opens the socket of a user, for the sake of its identity only, without ever leaving the file system of the user's
/// runtime folder.
pub(super) fn open_users(socket: &Path, user: u32) -> Result<OwnedFd, Errno> {
    open_among(socket, user, &own_mounts())
}

fn open_among(socket: &Path, user: u32, mounts: &Mountinfo) -> Result<OwnedFd, Errno> {
    let (folder, owner, below) = split(socket).ok_or(Errno::INVAL)?;
    if owner != user {
        return Err(Errno::PERM);
    }
    let path_only = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let home = openat2(
        CWD,
        folder,
        path_only | OFlags::DIRECTORY,
        Mode::empty(),
        ResolveFlags::NO_MAGICLINKS,
    )?;
    if !is_local(&home, mounts) || fstat(&home)?.st_uid != user {
        return Err(Errno::PERM);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let found = openat2(home, below, path_only, Mode::empty(), resolve)?;
    let status = fstat(&found)?;
    let is_users = status.st_uid == user;
    if FileType::from_raw_mode(status.st_mode) == FileType::Socket && is_users {
        Ok(found)
    } else {
        Err(Errno::PERM)
    }
}

/// Root may run an engine as any user does; its word counts like that of the other ones of root.
fn reach_of(user: u32) -> Reach {
    match user {
        0 => Reach::Everybody,
        user => Reach::User(user),
    }
}

/// A user's runtime folder, the user, and what comes below; `None` for a path that is in no such folder.
fn split(socket: &Path) -> Option<(PathBuf, u32, PathBuf)> {
    let folder = socket
        .ancestors()
        .find(|folder| folder.parent().is_some_and(|users| users.ends_with(USERS)))?;
    let user = folder.file_name()?.to_str()?.parse().ok()?;
    let below = socket.strip_prefix(folder).ok()?;
    Some((folder.to_owned(), user, below.to_owned()))
}

/// The users who have a runtime folder.
fn users(folder: &Path) -> Vec<u32> {
    let Ok(folder) = open(
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    ) else {
        return Vec::new();
    };
    let Ok(entries) = Dir::new(folder) else {
        return Vec::new();
    };
    let mut users: Vec<u32> = entries
        .take(MAX_USERS)
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok())
        .collect();
    users.sort_unstable();
    users
}

/// Whether no user serves the file system that a folder lies on: FUSE is the one that users can mount. Asks nobody but
/// the kernel.
fn is_local(folder: &OwnedFd, mounts: &Mountinfo) -> bool {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let Ok(status) = statx(folder.as_fd(), "", flags, StatxFlags::MNT_ID) else {
        return false;
    };
    let mut mounts = mounts.mounts.iter();
    mounts
        .find(|mount| u64::from(mount.id) == status.stx_mnt_id)
        .is_some_and(|mount| !mount.fs_type.starts_with(b"fuse"))
}

/// The mounts that the agent itself sees.
fn own_mounts() -> Mountinfo {
    mountinfo::read(Path::new("/proc"), std::process::id()).unwrap_or_default()
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A root with the runtime folder of a user, who is the one that runs the test unless that is root.
    fn root() -> (tempfile::TempDir, PathBuf, u32) {
        let root = tempfile::tempdir().expect("a folder");
        let own = rustix::process::geteuid().as_raw();
        let user = if own == 0 { 4242 } else { own };
        let home = root.path().join(USERS).join(user.to_string());
        std::fs::create_dir_all(home.join("podman")).expect("a folder");
        chown(&home, Some(user), None).expect("the user's");
        (root, home, user)
    }

    fn listen(socket: &Path, user: u32) -> UnixListener {
        std::fs::create_dir_all(socket.parent().expect("a folder")).expect("a folder");
        let listener = UnixListener::bind(socket).expect("a socket");
        chown(socket, Some(user), None).expect("the user's");
        listener
    }

    #[test]
    fn sockets_are_found_with_whose_word_they_carry() {
        let (root, home, user) = root();
        assert_eq!(find(root.path()), []);
        let _listeners = [
            listen(&root.path().join("run/podman/podman.sock"), user),
            listen(&home.join("docker.sock"), user),
            listen(&home.join("podman/podman.sock"), user),
            listen(&home.join("other.sock"), user),
        ];
        let found: Vec<_> = find(root.path())
            .into_iter()
            .map(|place| (place.socket, place.reach))
            .collect();
        assert_eq!(
            found,
            [
                (root.path().join("run/podman/podman.sock"), Reach::Everybody),
                (home.join("docker.sock"), Reach::User(user)),
                (home.join("podman/podman.sock"), Reach::User(user)),
            ]
        );
    }

    #[test]
    fn links_and_what_is_no_socket_of_the_user_are_passed_over() {
        let (root, home, user) = root();
        let elsewhere = root.path().join("elsewhere");
        let _listener = listen(&elsewhere.join("podman.sock"), user);
        std::fs::remove_dir(home.join("podman")).expect("removed");
        symlink(&elsewhere, home.join("podman")).expect("a link");
        symlink(elsewhere.join("podman.sock"), home.join("docker.sock")).expect("a link");
        std::fs::create_dir_all(root.path().join(USERS).join("not-a-user")).expect("a folder");
        assert_eq!(find(root.path()), []);

        std::fs::remove_file(home.join("docker.sock")).expect("removed");
        std::fs::write(home.join("docker.sock"), "").expect("a file");
        assert_eq!(find(root.path()), []);

        // The folder's name tells a user, and its owner must be that one.
        let other = root.path().join(USERS).join((user + 1).to_string());
        let _listener = listen(&other.join("docker.sock"), user);
        assert_eq!(find(root.path()), []);
    }

    #[test]
    fn engines_that_serve_kubernetes_are_told_by_their_sockets() {
        for (socket, engine) in [
            ("/run/k3s/containerd/containerd.sock", Engine::Containerd),
            ("/host/run/crio/crio.sock", Engine::CriO),
            ("/run/podman/podman.sock", Engine::Unknown),
            ("/run/x.sock", Engine::Unknown),
        ] {
            assert_eq!(engine_at(Path::new(socket)), engine, "{socket}");
        }
    }

    #[test]
    fn the_administrator_vouches_for_what_is_configured_but_in_the_folders_of_users() {
        for (socket, reach) in [
            ("/var/run/docker.sock", Reach::Everybody),
            ("/srv/proxy/docker.sock", Reach::Everybody),
            ("/run/user/1000/docker.sock", Reach::User(1000)),
            ("/host/run/user/1000/podman/podman.sock", Reach::User(1000)),
            ("/run/user/0/podman/podman.sock", Reach::Everybody),
        ] {
            assert_eq!(reach_of_configured(Path::new(socket)), reach, "{socket}");
        }
    }
}
