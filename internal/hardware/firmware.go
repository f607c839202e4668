package hardware

import "strings"

// firmwarePackages says which package of Debian has a file, by how its path below
// /lib/firmware begins. The first that fits counts.
var firmwarePackages = []struct{ prefix, name string }{
	{"iwlwifi-", "firmware-iwlwifi"},
	{"intel/iwlwifi/", "firmware-iwlwifi"},
	{"intel/ibt-", "firmware-iwlwifi"},
	{"intel/sof", "firmware-sof-signed"},
	{"i915/", "firmware-intel-graphics"},
	{"xe/", "firmware-intel-graphics"},
	{"intel/", "firmware-intel-misc"},
	{"amdgpu/", "firmware-amd-graphics"},
	{"radeon/", "firmware-amd-graphics"},
	{"nvidia/", "firmware-nvidia-graphics"},
	{"rtl_nic/", "firmware-realtek"},
	{"rtl_bt/", "firmware-realtek"},
	{"rtlwifi/", "firmware-realtek"},
	{"rtw88/", "firmware-realtek"},
	{"rtw89/", "firmware-realtek"},
	{"ath10k/", "firmware-atheros"},
	{"ath11k/", "firmware-atheros"},
	{"ath12k/", "firmware-atheros"},
	{"ar3k/", "firmware-atheros"},
	{"qca/", "firmware-atheros"},
	{"brcm/", "firmware-brcm80211"},
	{"cypress/", "firmware-brcm80211"},
	{"mediatek/", "firmware-mediatek"},
	{"mt76", "firmware-mediatek"},
	{"bnx2/", "firmware-bnx2"},
	{"bnx2x/", "firmware-bnx2x"},
	{"cirrus/", "firmware-cirrus"},
}

func packageOf(file string) string {
	for _, p := range firmwarePackages {
		if strings.HasPrefix(file, p.prefix) {
			return p.name
		}
	}
	return ""
}
