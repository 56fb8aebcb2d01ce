//! Volumes.

use anyhow::Result;

use super::{Docker, LABEL, unique};

/// A volume; removed when dropped.
#[derive(Debug)]
pub struct Volume {
    docker: Docker,
    /// Its name.
    pub name: String,
}

impl Volume {
    /// Makes one. The engine fills it with what the image of its first container has at that place.
    ///
    /// # Errors
    /// The engine cannot.
    pub fn create(docker: &Docker) -> Result<Self> {
        let name = unique("volume");
        let label = format!("{LABEL}=1");
        docker.output(&["volume", "create", "--label", &label, &name])?;
        Ok(Self {
            docker: docker.clone(),
            name,
        })
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.docker.attempt(&["volume", "rm", "-f", &self.name]));
    }
}
