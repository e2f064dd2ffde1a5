"""Files of the platform: listed, uploaded and downloaded, and which folders of this machine may be touched."""
