"""Find the people in an image and follow them through a video, without torch or MMPose."""
