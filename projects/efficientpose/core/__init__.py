"""What everything else stands on, with NumPy and OpenCV alone: skeletons, crops, images, poses, decoding, grouping."""
