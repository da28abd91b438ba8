"""Pictures in, poses out, without torch or MMPose."""
