#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether the profiles are such as TRex loads. With TREX=FOLDER, where TRex lies, its own library loads them and says what
it would send; without, they are read and checked against the names that its documentation has.
"""

import ast
import glob
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SELF = os.path.basename(__file__)
# TRex stateless and ASTF Python API, the classes (and scapy's layers) that profiles may use.
KNOWN = {"STLVM", "STLStream", "STLPktBuilder", "STLTXCont", "CTRexVmInsFixHwCs", "Ether", "IP", "UDP", "TCP",
         "ASTFProgram", "ASTFIPGen", "ASTFIPGenGlobal", "ASTFIPGenDist", "ASTFTemplate", "ASTFTCPClientTemplate",
         "ASTFTCPServerTemplate", "ASTFAssociationRule", "ASTFProfile"}
STATELESS = {"established.py": [60], "imix.py": [60, 590, 1514], "first_packets.py": [60], "denied_flood.py": [60],
             "syn_flood.py": [60]}  # frames without FCS


def profiles():
    return sorted(path for path in glob.glob(os.path.join(HERE, "*.py")) if os.path.basename(path) != SELF)


class Read(unittest.TestCase):
    def test_every_profile_is_known_here(self):
        self.assertEqual({os.path.basename(path) for path in profiles()}, {*STATELESS, "http.py"})

    def test_names_and_entry_points(self):
        for path in profiles():
            with self.subTest(os.path.basename(path)), open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read(), path)
                functions = {f.name: f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)}
                entry = functions["get_profile" if path.endswith("http.py") else "get_streams"]
                self.assertIn("register", [f.name for f in tree.body if isinstance(f, ast.FunctionDef)])
                self.assertIn("tunables", [a.arg for a in entry.args.args])
                self.assertIsNotNone(entry.args.kwarg)
                own = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
                called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
                foreign = {name for name in called if name[0].isupper()} - own
                self.assertTrue(foreign)
                self.assertLessEqual(foreign, KNOWN)


@unittest.skipUnless(os.environ.get("TREX"), "TREX=FOLDER is not set")
class Loaded(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sys.path.insert(0, os.path.join(os.environ["TREX"], "automation", "trex_control_plane", "interactive"))

    @staticmethod
    def streams(name, direction=0, tunables=()):
        from trex.stl.trex_stl_streams import STLProfile
        path = os.path.join(HERE, name)
        return STLProfile.load_py(path, direction=direction, port_id=direction, tunables=list(tunables)).get_streams()

    def test_frames_have_the_sizes_that_they_should(self):
        for name, sizes in STATELESS.items():
            self.assertEqual([len(s.pkt) for s in self.streams(name)], sizes, name)
        self.assertEqual(len(self.streams("established.py", tunables=["--size", "128"])[0].pkt), 124)

    def test_answers_have_the_ends_of_questions_swapped(self):
        for name in ("established.py", "imix.py"):
            for ask, answer in zip(self.streams(name), self.streams(name, direction=1)):
                self.assertEqual(ask.pkt[26:30] + ask.pkt[30:34], answer.pkt[30:34] + answer.pkt[26:30], name)
                self.assertEqual(ask.pkt[34:36] + ask.pkt[36:38], answer.pkt[36:38] + answer.pkt[34:36], name)
                written = [[i["pkt_offset"] for i in s.to_json()["vm"]["instructions"] if i["type"] == "write_flow_var"]
                           for s in (ask, answer)]
                self.assertEqual(written, [[26, 34], [30, 36]], name)  # source, then destination

    def test_floods_come_from_one_side_only(self):
        for name in ("first_packets.py", "denied_flood.py", "syn_flood.py"):
            self.assertEqual(self.streams(name, direction=1), [], name)
            self.assertEqual(self.streams(name)[0].pkt[47], 0x02, name)  # SYN, RFC 9293

    def test_a_client_waits_for_as_many_bytes_as_the_server_sends(self):
        from trex.astf.trex_astf_profile import ASTFProfile
        for answer in (1, 1024, 1 << 20, 100000000):
            profile = ASTFProfile.load(os.path.join(HERE, "http.py"), tunables=["--answer", str(answer)]).to_json()
            client, server = (program["commands"] for program in profile["program_list"])
            length = [len(buffer) * 3 // 4 - buffer.count("=") for buffer in profile["buf_list"]]
            times = next((c["val"] for c in server if c["name"] == "set_var"), 0)
            sends = [length[c["buf_index"]] for c in server if c["name"] == "tx"]
            self.assertEqual(client[1]["min_bytes"], sends[0] + times * sum(sends[1:]), answer)


if __name__ == "__main__":
    unittest.main()
