from __future__ import annotations

from pathlib import Path

from hookline_runner.sandbox import Sandbox, SandboxView

SANDBOX = Sandbox(description="bubblewrap", program="/bin/bwrap", options=("--unshare-pid",))


def test_without_a_sandbox_the_command_runs_as_it_is() -> None:
    sandbox = Sandbox(description="none: for the test")

    assert sandbox.command(SandboxView(), ["python", "-c", ""]) == ["python", "-c", ""]


def test_what_is_listed_is_mounted_where_it_was_said() -> None:
    view = SandboxView(read_only={"/env": Path("/x/env")}, writable={"/work": Path("/x/work")})

    command = " ".join(SANDBOX.command(view, ["python"]))

    assert "--ro-bind /x/env /env" in command
    assert "--bind /x/work /work" in command
    assert command.endswith("-- python")


def test_the_sandbox_dies_with_its_host_and_has_no_capabilities() -> None:
    command = " ".join(SANDBOX.command(SandboxView(), ["python"]))

    assert "--die-with-parent" in command
    assert "--new-session" in command
    assert "--cap-drop ALL" in command


def test_no_directory_of_the_machine_is_shared_but_programs_and_libraries() -> None:
    command = SANDBOX.command(SandboxView(), ["python"])

    sources = {
        command[index + 1]
        for index, word in enumerate(command)
        if word in {"--bind", "--ro-bind", "--dev-bind"}
    }
    sources.remove("/dev/null")  # hides what is not to be seen

    assert sources <= {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"}
