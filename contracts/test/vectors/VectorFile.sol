// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "../../script/Vm.sol";
import {Asserts} from "../utils/Asserts.sol";

/// @title Reads tests/vectors/*.json, the figures that Python's side of every formula is tested with too.
/// @dev A table is an object of equally long columns; every static column reads as words, so a row's words in
/// order of a struct's members are that struct's abi.encode (tests/vectors/README.md).
abstract contract VectorFile is Asserts {
    string private _file;

    function _open(string memory name) internal {
        _file = vm.readFile(string.concat("../tests/vectors/", name, ".json"));
    }

    function _value(string memory key) internal view returns (uint256) {
        return vm.parseJsonUint(_file, key);
    }

    function _word(string memory key) internal view returns (bytes32) {
        return vm.parseJsonBytes32(_file, key);
    }

    function _column(string memory table, string memory name) internal view returns (uint256[] memory) {
        return vm.parseJsonUintArray(_file, _key(table, name));
    }

    function _hashes(string memory table, string memory name) internal view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(_file, _key(table, name));
    }

    function _blobs(string memory table, string memory name) internal view returns (bytes[] memory) {
        return vm.parseJsonBytesArray(_file, _key(table, name));
    }

    function _flags(string memory table, string memory name) internal view returns (bool[] memory) {
        return vm.parseJsonBoolArray(_file, _key(table, name));
    }

    function _texts(string memory table, string memory name) internal view returns (string[] memory) {
        return vm.parseJsonStringArray(_file, _key(table, name));
    }

    /// @param names Columns in the order wanted, separated by blanks.
    /// @return rows Each row's words, as abi.encode of a struct with these members.
    function _rows(string memory table, string memory names) internal view returns (bytes[] memory rows) {
        string[] memory columns = vm.split(names, " ");
        for (uint256 c = 0; c < columns.length; ++c) {
            uint256[] memory column = _column(table, columns[c]);
            if (c == 0) rows = new bytes[](column.length);
            assertEq(column.length, rows.length, columns[c]);
            for (uint256 i = 0; i < column.length; ++i) {
                rows[i] = bytes.concat(rows[i], bytes32(column[i]));
            }
        }
        assertTrue(rows.length != 0, "a table has rows");
    }

    function _at(string memory what, uint256 row) internal pure returns (string memory) {
        return string.concat(what, ", row ", vm.toString(row));
    }

    function _key(string memory table, string memory name) private pure returns (string memory) {
        return string.concat(".", table, ".", name);
    }
}
