#!/usr/bin/env python3
"""Writes what a release before 3.2.3 had in its headers: the data of 3.2.3 without what came later.

    releases.py 3.2.0 data/key-tls.json > 3.2.0.json         for freestanding.py

What came when, and the sizes that result, are versions.md sections 2 and 3. What 3.2.3 does not have any more is left out.
"""

import json
import sys

sys.dont_write_bytecode = True  # no __pycache__ among the sources
from generate import items, own_name

# The release that brought them, with what they begin with.
CAME = {
    "3.1.3": ("IOT_MQTT_IsSubReady", "IOT_Gateway_IsSubReady", "IOT_OTA_ResetClientMD5"),
    "3.2.0": ("IOT_MQTT_StartLoop", "IOT_MQTT_StopLoop", "IOT_MQTT_GetLoopStatus", "IOT_MQTT_SetLoopStatus",
              "IOT_MQTT_GetDeviceInfo", "IOT_COAP_GetDeviceInfo"),
    "3.2.1": ("IOT_Broadcast_", "IOT_RRPC_", "IOT_Gateway_Subdev_Bind", "IOT_Gateway_Subdev_Unbind", "IOT_MQTT_GetErrCode"),
    "3.2.2": ("IOT_Gateway_Subdev_GetBindList", "IOT_Gateway_Subdev_DestoryBindList", "IOT_Subscribe_Config", "IOT_Get_Config"),
    "3.2.3": ("IOT_Sync_NTPTime", "HAL_Timer_set_systime_"),
}
# Had other arguments before 3.2.0.
OTHERS_OF_3_1 = ("HAL_ThreadCreate", "HAL_Timer_current")
# With dynamic registration in their defaults.
DYNAMIC_REGISTRATION_OFF = ("3.1.2", "3.1.3")
RELEASES = ("3.1.0", "3.1.1", "3.1.2", "3.1.3", "3.2.0", "3.2.1", "3.2.2")
PATHS = ("cert_file", "key_file")
# Of KEY and CERT devices, where they are not 3.2.3's: up to 3.1.3, and 3.2.0.
SIZES = {
    "3.1": {"MQTTInitParams": (56, 64), "GatewayInitParam": (72, 80), "ShadowInitParams": (64, 72), "CoAPInitParams": (48, 56)},
    "3.2.0": {"MQTTInitParams": (56, 560), "GatewayInitParam": (72, 576), "ShadowInitParams": (64, 568), "CoAPInitParams": (48, 552)},
}


def number(release):
    return tuple(int(part) for part in release.split("."))


class Release:
    def __init__(self, release, config):
        self.release, self.headers = release, config["headers"].values()
        self.is_cert = "AUTH_MODE_CERT" in config["config_macros"]
        self.structs = {own_name(s): s for header in self.headers for s in items(header, "structs")}
        if self.is_before("3.2.0"):
            self.paths_are_pointers()
        if self.is_before("3.2.1"):
            self.drop("MQTTInitParams", "err_code")
        if release in DYNAMIC_REGISTRATION_OFF:
            self.drop("DeviceInfo", "product_secret")
            config["config_macros"].remove("DEV_DYN_REG_ENABLED")
        for name in self.structs:
            self.lay_out(name)
        self.functions()
        self.check()

    def is_before(self, release):
        return number(self.release) < number(release)

    def drop(self, struct, field):
        self.structs[struct]["fields"] = [f for f in self.structs[struct]["fields"] if f["name"] != field]
        self.initialisers(lambda value: value["field"].split(".")[-1] != field)

    def paths_are_pointers(self):
        for struct in self.structs.values():
            for field in items(struct, "fields"):
                if field["name"] in PATHS:
                    field.update(type="char *", size=8)
        self.initialisers(lambda value: value["field"].split(".")[-1] not in PATHS)

    def initialisers(self, keeps):
        for header in self.headers:
            for macro in items(header, "initializer_macros"):
                macro["values"] = [value for value in macro["values"] if keeps(value)]

    def lay_out(self, name):
        """Places the fields anew: x86-64, no bit fields."""
        struct, end = self.structs[name], 0
        for field in items(struct, "fields"):
            inner = self.structs.get(field["type"].removeprefix("struct "))
            if inner is not None:
                self.lay_out(own_name(inner))
                field["size"], align = inner["size"], inner["align"]
            elif "[" in field["type"]:
                align = 1 if field["type"].startswith("char[") else struct["align"]
            else:
                align = min(field["size"], struct["align"])
            field["offset"] = -(-end // align) * align
            end = field["offset"] + field["size"]
        struct["size"] = -(-end // struct["align"]) * struct["align"]

    def functions(self):
        gone = tuple(name for release, names in CAME.items() if self.is_before(release) for name in names)
        gone += OTHERS_OF_3_1 if self.is_before("3.2.0") else ()
        for header in self.headers:
            header["functions"] = [f for f in items(header, "functions") if not f["name"].startswith(gone)]

    def check(self):
        """The sizes are those that were measured."""
        sizes = SIZES["3.1"] if self.is_before("3.2.0") else SIZES["3.2.0"] if self.is_before("3.2.1") else {}
        for name, (key, cert) in sizes.items():
            if name in self.structs and self.structs[name]["size"] != (cert if self.is_cert else key):
                sys.exit(f"releases.py: {name} of {self.release} would have {self.structs[name]['size']} bytes")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in RELEASES:
        sys.exit(f"usage: releases.py RELEASE data/<configuration>.json     RELEASE is one of {', '.join(RELEASES)}")
    with open(sys.argv[2], encoding="utf-8") as file:
        config = json.load(file)
    Release(sys.argv[1], config)
    config["config"] += f" of {sys.argv[1]}"
    json.dump(config, sys.stdout)


if __name__ == "__main__":
    main()
