"""Videos and cameras: frames in, poses per frame out, without torch or MMPose."""
