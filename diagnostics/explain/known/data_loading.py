"""Messages of datasets and data loaders."""

from __future__ import annotations

from diagnostics.explain.row import do, row, rows, sh
from diagnostics.finding import Level

_NO_WORKERS = do("DataLoader(..., num_workers=0)", "shows the real error, in this process")

ROWS = rows(
    "data",
    row(
        "shm-too-small",
        r"unable to (?:allocate shared memory\(shm\)|open shared memory object|mmap \d+ bytes "
        r"from file "
        r"</torch)[\s\S]{0,120}?No space left on device",
        r"killed by signal: Bus error",
        r"DataLoader's workers are out of shared memory",
        summary="The shared memory /dev/shm is too small for the data loader.",
        cause="Workers pass batches through it; containers have 64 MB by default.",
        cures=(
            do("docker run --shm-size=8g ... (or --ipc=host)", "gives more"),
            do(
                'torch.multiprocessing.set_sharing_strategy("file_system"), or num_workers=0',
                "uses less",
            ),
        ),
        explains=("worker-exited", "disk-full", "worker-signal"),
    ),
    row(
        "fd-limit",
        r"\[Errno 24\] Too many open files",
        r"received 0 items of ancdata",
        r"Too many open files\. Communication with the workers is no longer possible",
        summary="The process has too many open files.",
        cause="Workers pass each tensor through a file descriptor.",
        cures=(
            sh("ulimit -n 65535", "allows more"),
            do('torch.multiprocessing.set_sharing_strategy("file_system")', "needs none"),
        ),
        explains=("worker-exited",),
    ),
    row(
        "fork-after-cuda",
        r"Cannot re-initialize CUDA in forked subprocess",
        summary="A worker touches CUDA that its parent has already started.",
        cause="CUDA does not survive a fork.",
        cures=(
            do("return CPU tensors from the dataset", "keeps CUDA out of the workers"),
            do('DataLoader(..., multiprocessing_context="spawn")', "starts fresh processes"),
        ),
    ),
    row(
        "worker-unpicklable",
        r"Can't (?:pickle|get) local object '(?P<what>[^']+)'",
        r"Can't pickle (?P<what><[^\n]{1,120}>): attribute lookup",
        r"cannot pickle '(?P<what>[^']+)' object",
        r"h5py objects cannot be pickled",
        summary="The dataset cannot be sent to a worker process ({what}).",
        cause="With spawn or forkserver (the default since Python 3.14) the dataset is pickled: no "
        "lambdas, local classes, open files or database handles.",
        cures=(
            do("a function or class at the top of a module", "can be pickled by its name"),
            do("open files in __getitem__ or worker_init_fn", "keeps handles out"),
        ),
    ),
    row(
        "no-main-guard",
        r"An attempt has been made to start a new process before the\s+current process has "
        r"finished",
        summary="The script starts worker processes while it is being imported.",
        cause='With spawn the script runs again in each worker; `if __name__ == "__main__":` is '
        "missing.",
        cures=(do('if __name__ == "__main__": main()', "runs it once"),),
        explains=("worker-exited",),
    ),
    row(
        "worker-error",
        r"Caught (?P<what>\w+) in (?P<where>DataLoader worker process \d+|pin memory thread[^.\n]*|"
        r"replica \d+[^.\n]*)",
        summary="The dataset raised {what} in a worker ({where}).",
        cause="The traceback below the line `Original Traceback` says where.",
        cures=(_NO_WORKERS,),
        is_symptom=True,
    ),
    row(
        "worker-signal",
        r"DataLoader worker \(pid \d+\) is killed by signal: (?P<what>Segmentation "
        r"fault|Killed|Aborted|"
        r"Floating point exception|Illegal instruction|Terminated)",
        summary="A data loader worker was killed: {what}.",
        cause="Killed: out of memory. Segmentation fault: a native library (OpenCV, a video "
        "decoder) or "
        "one that must not be used after a fork.",
        cures=(
            _NO_WORKERS,
            do("cv2.setNumThreads(0) in worker_init_fn", "avoids OpenCV's threads"),
        ),
        explains=("worker-exited",),
    ),
    row(
        "worker-exited",
        r"DataLoader worker \(pid\(?s?\)?:? ?[\d, ]+\) exited unexpectedly",
        summary="A data loader worker ended without saying why.",
        cause="It was killed (memory), crashed in native code, or the script lacks its main guard.",
        cures=(
            _NO_WORKERS,
            sh("dmesg | grep -i -e oom -e segfault | tail", "shows whether the kernel killed it"),
        ),
        is_symptom=True,
    ),
    row(
        "worker-timeout",
        r"DataLoader timed out after (?P<seconds>\d+) seconds",
        summary="A worker gave nothing for {seconds} seconds.",
        cause="Slow storage, or a deadlock after a fork.",
        cures=(_NO_WORKERS, do("a longer timeout=", "when storage is slow")),
    ),
    row(
        "too-many-workers",
        r"This DataLoader will create (?P<n>\d+) worker processes in total\. Our suggested max "
        r"number of "
        r"worker in current system is (?P<max>\d+)",
        summary="{n} workers on {max} processors slow each other down.",
        cause="Each worker wants a processor of its own.",
        cures=(do("num_workers={max}", "fits the machine"),),
        level=Level.WARN,
    ),
    row(
        "collate-type",
        r"batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        r"(?P<what>[^\n]{1,80})",
        summary="The default collate function cannot batch {what}.",
        cause="The dataset returns something other than tensors, numbers or text.",
        cures=(
            do("transform=transforms.ToTensor()", "turns images into tensors"),
            do("collate_fn=lambda batch: batch", "leaves the list as it is"),
        ),
    ),
    row(
        "collate-length",
        r"each element in list of batch should be of equal size",
        summary="Samples hold lists of different lengths.",
        cause="The default collate function needs equal lengths.",
        cures=(do("collate_fn=... with padding", "makes them equal"),),
    ),
    row(
        "collate-resize",
        r"Trying to resize storage that is not resizable",
        summary="Samples of different shapes met in a worker.",
        cause="The default collate function stacks into shared memory: all samples need one shape.",
        cures=(do("transforms.Resize((H, W)), or a collate_fn with padding", "makes them equal"),),
    ),
    row(
        "dataset-empty",
        r"num_samples should be a positive integer value, but got num_samples=0",
        summary="The dataset is empty.",
        cause="The path or pattern matched no file, or a filter removed everything.",
        cures=(do("print(len(dataset)); print the folder it reads", "shows what it found"),),
    ),
    row(
        "image-folder-empty",
        r"Couldn't find any class folder in (?P<path>[^\n]+?)\.?$",
        r"Found no valid file for the classes (?P<path>[^\n]{1,200})",
        r"Found 0 (?:files|images) in subfolders of:? (?P<path>[^\n]+)",
        summary="ImageFolder found no images: {path}.",
        cause="It wants one sub-folder per class: root/class/image.jpg.",
        cures=(do("move images into one folder per class", "is the layout it reads"),),
    ),
    row(
        "dataset-not-downloaded",
        r"Dataset not found(?: or corrupted)?\. You can use download=True",
        r"(?:File|Archive) not found or corrupted",
        summary="The dataset is not in this folder, or incomplete.",
        cause="It was never downloaded, or the download was interrupted.",
        cures=(do("download=True, or another root=", "fetches it, or finds it"),),
    ),
    row(
        "image-unidentified",
        r"UnidentifiedImageError: cannot identify image file (?P<file>[^\n]{1,200})",
        summary="Not an image: {file}",
        cause="The file is empty, a web page or pointer, or a format that Pillow lacks (HEIC, AVIF).",
        cures=(do("file <path>; delete or convert it", "shows what it is"),),
    ),
    row(
        "image-truncated",
        r"image file is truncated \((?P<n>\d+) bytes not processed\)",
        summary="An image file is cut off ({n} bytes are missing).",
        cause="A download or copy was interrupted.",
        cures=(
            do("fetch it again; ImageFile.LOAD_TRUNCATED_IMAGES = True to go on", "repairs it"),
        ),
    ),
    row(
        "transform-type",
        r"pic should be (?:PIL Image or ndarray|Tensor or ndarray|2/3 dimensional)\.? ?Got "
        r"(?P<got>[^\n]+)",
        r"[Ii]mg should be (?:PIL Image|Tensor Image|a tensor image)\.? ?Got (?P<got>[^\n]+)",
        summary="A transform got {got}.",
        cause="Transforms are in the wrong order: some want images, some tensors.",
        cures=(do("ToTensor() once, before Normalize()", "is the usual order"),),
    ),
    row(
        "normalize-channels",
        r"output with shape \[(?P<a>1, \d+, \d+)\] doesn't match the broadcast shape \[(?P<b>3, "
        r"\d+, \d+)\]",
        summary="A grayscale image [{a}] was normalised with three means.",
        cause="The image has one channel, the mean and std have three.",
        cures=(do("image.convert('RGB'), or Normalize((0.5,), (0.5,))", "makes them agree"),),
    ),
)
