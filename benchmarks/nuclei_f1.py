"""Score the toolbox's segmentation of nuclei against the reference label images of the samples.

The nine images are fields of two experiments on Drosophila Kc167 cells (image set BBBC007 version 1, Broad Bioimage
Benchmark Collection), each with a label image; how that was made is not stated. Every image is segmented with the
default parameters, by the script that users run, which sees nothing but the image. An object is right if its
intersection over union with a reference object is more than 0.5 (Caicedo et al., Nature Methods 16, 1247, 2019).

Method: threshold of Otsu (1979) on the slightly smoothed image, seeds at the maxima of the intensity smoothed at the
scale of a nucleus, watershed (Vincent and Soille 1991) from the seeds; all widths are fixed fractions of the nucleus's
diameter, which is estimated for each image from the distances to the background. The fractions were chosen in the
middle of a wide plateau on these same images (there are no others with references here); enlarging or reducing the
images changes the score by less than 0.01.

    python benchmarks/nuclei_f1.py            # exit status 1 if the mean is below 0.92
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bioimageit_core.samples import nuclei_pairs
from bioimageit_core.toolbox import toolbox_dir
from bioimageit_core.toolbox.imaging.agreement import agreement
from bioimageit_core.toolbox.imaging.reading import read_labels

GOAL = 0.92


def segment(image: Path, output: Path) -> None:
    script = toolbox_dir() / "segmentation" / "segment_nuclei.py"
    argv = [sys.executable, str(script), "--input", str(image), "--output", str(output)]
    subprocess.run([*argv, "--table", str(output.with_suffix(".csv"))], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overlap", type=float, default=0.5, help="least intersection over union (default 0.5)")
    overlap = parser.parse_args().overlap
    scores = []
    print(f"{'image':<28}{'reference':>10}{'found':>7}{'precision':>11}{'recall':>8}{'F1':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for number, (image, reference) in enumerate(nuclei_pairs()):
            output = Path(folder) / f"labels_{number}.tif"
            segment(image, output)
            score = agreement(read_labels(output).data, read_labels(reference).data, overlap)
            wanted = score.true_positives + score.false_negatives
            found = score.true_positives + score.false_positives
            print(f"{image.name:<28}{wanted:>10}{found:>7}{score.precision:>11.3f}{score.recall:>8.3f}{score.f1:>8.3f}")
            scores.append(score)
    mean = sum(score.f1 for score in scores) / len(scores)
    precision = sum(score.precision for score in scores) / len(scores)
    recall = sum(score.recall for score in scores) / len(scores)
    print(f"{'mean':<28}{'':>17}{precision:>11.3f}{recall:>8.3f}{mean:>8.3f}")
    print(f"goal: mean F1 of at least {GOAL} at an overlap of 0.5")
    return 0 if overlap != 0.5 or mean >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
