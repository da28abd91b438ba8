"""Test a network: ``python tools/test.py CONFIG CHECKPOINT``.

This is MMPose's own tool with all its arguments, with EfficientPose's components registered, and more:

    python tools/test.py CONFIG CHECKPOINT --flip-test
    python tools/test.py CONFIG CHECKPOINT --tta                     # flip test and multi-scale testing
    python tools/test.py CONFIG CHECKPOINT --tta-scales 0.7 0.85 1.0
    python tools/test.py CONFIG CHECKPOINT --dump-submission pred_keypoints_mpii.mat --release-file MPII.mat
"""

import argparse
import runpy
import sys
from importlib.resources import files
from pathlib import Path

import mmengine
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks.test_time_aug_hook import build_runner_with_tta
from mmengine.runner import Runner

import efficientpose.plugin  # noqa: F401 - first: it lets MMPose be imported
from efficientpose.engine.launchers import join_cpu_processes
from efficientpose.evaluation.test_options import DEFAULT_SCALES, set_flip_test, set_multi_scale_test, set_submission


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of our own arguments."""
    # Without abbreviations: MMPose's --dump would be taken for one.
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False, allow_abbrev=False)
    group = parser.add_argument_group("EfficientPose's, beside MMPose's below")
    flip = "average with the mirrored image, or not (default: as the config says, and with --tta)"
    group.add_argument("--flip-test", action=argparse.BooleanOptionalAction, help=flip)
    tta = "flip test and multi-scale testing: more accurate, several times the time"
    group.add_argument("--tta", action="store_true", help=tta)
    defaults = " ".join(str(scale) for scale in DEFAULT_SCALES)
    scales = f"how large the person appears; implies --tta (default: the config's tta_pipeline, or {defaults})"
    group.add_argument("--tta-scales", type=float, nargs="+", metavar="SCALE", help=scales)
    submission = "write the predictions: .mat for MPII, .json for COCO-style results"
    group.add_argument("--dump-submission", type=Path, metavar="FILE", help=submission)
    release = "MPII's mpii_human_pose_v1_u12_1.mat: --dump-submission then has the test server's structure"
    group.add_argument("--release-file", type=Path, metavar="MAT", help=release)
    return parser


def apply(options: argparse.Namespace, config: Config) -> bool:
    """Change a config as the options say; return whether it is tested at several scales."""
    is_multi_scale = options.tta or options.tta_scales is not None
    if options.flip_test is not None or is_multi_scale:
        set_flip_test(config, enabled=options.flip_test is not False)
    if is_multi_scale:
        set_multi_scale_test(config, options.tta_scales)
    if options.dump_submission is not None:
        set_submission(config, options.dump_submission, release_file=options.release_file)
    elif options.release_file is not None:
        raise ValueError(f"--release-file {options.release_file} goes with --dump-submission FILE.mat: give that too")
    return is_multi_scale


def main() -> None:
    """Test, print the scores and write what is asked for."""
    parser = make_parser()
    options, remaining = parser.parse_known_args()
    if {"-h", "--help"} & set(remaining):
        parser.print_help()
    mmpose_tool = runpy.run_path(str(files("mmpose") / ".mim" / "tools" / "test.py"), run_name="mmpose_test")
    sys.argv[1:] = remaining
    arguments = mmpose_tool["parse_args"]()
    config = mmpose_tool["merge_args"](Config.fromfile(arguments.config), arguments)
    try:
        join_cpu_processes(arguments.launcher)
        is_multi_scale = apply(options, config)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    runner = build_runner_with_tta(config) if is_multi_scale else Runner.from_cfg(config)
    scores = runner.test()
    if arguments.out and is_main_process():
        mmengine.dump(scores, arguments.out)


if __name__ == "__main__":
    main()
