#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who an agent is: enrolment, renewal, a new identity, and what becomes of records that were not shipped yet."""
import os
import time

import lab


def test_wrong_fingerprint_costs_no_token_and_leaves_no_identity():
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        token = server.token()
        p = lab.run(lab.AGENT, "enroll", "--state", agent.state, "--server", server.url, "--token", "-", "--ca-sha256",
                    "0" * 64, stdin=token + "\n", check=False)
        assert p.returncode == 1 and not os.path.exists(os.path.join(agent.state, "identity", "agent_id")), p
        agent.enroll(server, token=token)
        assert agent.agent_id


def test_same_ca_renews_and_replace_counts_what_was_not_shipped_as_lost():
    lab.need_bpf()
    with lab.Lab() as box:
        server, agent = box.server(), box.agent()
        agent.enroll(server)
        first = agent.agent_id
        agent.start("--source", "ebpf")
        lab.wait_for("events at the server", 20, lambda: server.sql("SELECT 1 FROM events WHERE stream = 'kernel.critical' LIMIT 1"))
        refused = agent.enroll(server, check=False)
        assert refused.returncode == 1 and "stop it first" in refused.stderr, refused
        server.stop()
        flood = os.path.join(lab.BUILD, "tests", "system", "exec_flood")
        lab.run(flood, "unshipped", "0", "20")
        time.sleep(1.5)
        agent.stop()
        server.start()
        assert "renewed" in agent.enroll(server).stdout and agent.agent_id == first
        assert "anew" in agent.enroll(server, "--replace").stdout and agent.agent_id != first
        agent.start("--source", "ebpf")
        lab.wait_for("the loss at the server", 20, lambda: server.sql(
            "SELECT 1 FROM ledger_loss WHERE reason = 'reenrolled' AND stream = 'kernel.critical' AND lost >= 20"))
        agent.stop("--sensor")
        lab.ledger_adds_up(server)


lab.main()
